// report.html: one file, no script, no network.
#include <algorithm>

#include "burin/apps/base64.h"
#include "burin/apps/charts/svg.h"
#include "burin/apps/report/pictures.h"
#include "burin/apps/report/report.h"
#include "burin/apps/table.h"
#include "burin/data/encode.h"

namespace burin::apps {
namespace {

using charts::escaped;

constexpr const char* style = R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--background);color:var(--text);font:15px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:19px;margin:44px 0 12px;padding-top:10px;border-top:1px solid var(--grid)}
h3{font-size:15px;margin:24px 0 8px}
p,li{max-width:74ch}
.muted{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px;margin:24px 0}
.tile{border:1px solid var(--grid);border-radius:10px;padding:12px 14px}
.tile b{display:block;font-size:24px;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:13px}
.row{display:flex;flex-wrap:wrap;gap:24px;align-items:flex-start}
.row>svg{flex:0 1 calc(50% - 12px);min-width:min(100%,340px)}
.row>svg:only-child{flex-basis:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0}
th,td{text-align:right;padding:5px 14px;border-bottom:1px solid var(--grid)}
caption,thead th{color:var(--muted);font-weight:500}
caption{text-align:left;padding:5px 0}
tbody th{font-weight:inherit}
th:first-child{text-align:left;padding-left:0}
tr.sum>*{border-top:2px solid var(--axis)}
.scroll{overflow-x:auto}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:12px}
figure{margin:0}
figure img{width:100%;aspect-ratio:1;object-fit:contain;background:var(--grid);border-radius:8px;display:block}
figcaption{font-size:12.5px;line-height:1.4;margin-top:5px;overflow-wrap:anywhere}
.good{color:var(--green)}.bad{color:var(--red)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px}dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
@media screen and (max-width:560px){main{padding:20px 16px 48px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}.row{overflow-x:auto}.row>svg,.row>svg:only-child{flex:0 0 480px;min-width:0}}
@media print{body{font-size:13px}main{max-width:none;padding:0}.scroll{overflow:visible}th,td{padding:4px 7px}h2,h3,h3+p{break-after:avoid}figure,svg,.tile,tr{break-inside:avoid}.gallery{grid-template-columns:repeat(6,1fr)}}
)css";

/// A row of a table's body: its first cell heads it.
std::string table_row(const std::vector<std::string>& texts, const char* kind = "") {
  std::string row = str("<tr", kind, "><th scope=\"row\">", texts.front(), "</th>");
  for (size_t i = 1; i < texts.size(); ++i) row += "<td>" + texts[i] + "</td>";
  return row + "</tr>\n";
}

std::string table(const std::string& caption, const std::vector<std::string>& headings,
                  const std::string& rows) {
  std::string head;
  for (const std::string& text : headings) head += "<th scope=\"col\">" + text + "</th>";
  return "<div class=\"scroll\" role=\"group\" aria-label=\"" + caption +
         "\" tabindex=\"0\"><table><caption>" + caption + "</caption>\n<thead><tr>" + head +
         "</tr></thead>\n<tbody>\n" + rows + "</tbody></table></div>\n";
}

std::vector<std::string> score_cells(const std::string& name, const ClassScores& scores) {
  return {name, fixed(scores.precision, 4), fixed(scores.recall, 4), fixed(scores.f1, 4),
          str(scores.support)};
}

/// The page being written, section by section.
class Page {
 public:
  Page(const ReportData& data, const Analysis& analysis) : data_(data), analysis_(analysis) {}

  std::string write() {
    head();
    if (!data_.epochs.empty()) training();
    evaluation();
    errors();
    galleries();
    if (!data_.corruption.empty()) corruption();
    about_data();
    out_ += "</main></body></html>\n";
    return std::move(out_);
  }

 private:
  const ConfusionMatrix& confusion() const { return data_.evaluation->confusion; }
  const std::string& class_name(int64_t c) const {
    return data_.dataset->classes()[static_cast<size_t>(c)];
  }
  void tile(const std::string& value, const std::string& name) {
    out_ += "<div class=\"tile\"><b>" + value + "</b><span>" + escaped(name) + "</span></div>\n";
  }
  void section(const std::string& title) { out_ += "<h2>" + title + "</h2>\n"; }

  void head();
  void training();
  void evaluation();
  void class_table();
  void errors();
  void gallery(const std::string& title, const std::string& explanation,
               const std::vector<int64_t>& samples);
  void galleries();
  void corruption();
  void about_data();
  void show(const std::vector<Picture>& pictures) {
    // On a phone it scrolls: with a keyboard, too.
    out_ += "<div class=\"row\" role=\"group\" aria-label=\"charts\" tabindex=\"0\">\n";
    for (const Picture& picture : pictures) out_ += svg_inline(picture.drawing);
    out_ += "</div>\n";
  }

  const ReportData& data_;
  const Analysis& analysis_;
  std::string out_;
};

void Page::head() {
  out_ +=
      str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
          escaped(data_.title), "</title>\n<style>\n", charts::svg_style(), style,
          "</style></head>\n<body><main>\n<h1>", escaped(data_.title), "</h1>\n");
  const int64_t right = static_cast<int64_t>(analysis_.right.size());
  out_ += str("<p class=\"muted\">", right, " of ", confusion().total(), ' ', escaped(data_.part),
              " images answered right</p>\n<div class=\"tiles\">\n");
  const ClassScores scores = confusion().scores(data_.positive);
  const std::string of = ", " + class_name(data_.positive);
  tile(fixed(confusion().accuracy(), 4), "accuracy");
  tile(fixed(1 - confusion().accuracy(), 4), "error rate");
  tile(fixed(scores.precision, 4), "precision" + of);
  tile(fixed(scores.recall, 4), "recall" + of);
  tile(fixed(scores.f1, 4), "F1" + of);
  tile(fixed(analysis_.auc[static_cast<size_t>(data_.positive)], 4), "ROC AUC" + of);
  tile(fixed(analysis_.calibration_error, 4), "calibration error");
  out_ += "</div>\n<dl>\n";
  for (const auto& [name, value] : data_.facts) {
    out_ += "<dt>" + escaped(name) + "</dt><dd>" + escaped(value) + "</dd>\n";
  }
  out_ += "</dl>\n";
}

void Page::training() {
  section("Training");
  show(training_pictures(data_));
  std::string rows;
  for (const EpochResult& e : data_.epochs) {
    rows += table_row({str(e.epoch, e.best ? " ★" : ""), fixed(e.train_loss, 4),
                       fixed(e.val_loss, 4), fixed(e.accuracy, 4), fixed(e.precision, 4),
                       fixed(e.recall, 4), fixed(e.f1, 4), scientific(e.learning_rate, 2),
                       fixed(e.images_per_second, 1), fixed(e.seconds, 1)});
  }
  out_ += table("Each epoch",
                {"epoch", "training loss", "validation loss", "accuracy", "precision", "recall",
                 "F1", "learning rate", "images/s", "seconds"},
                rows);
  out_ +=
      "<p class=\"muted\">★ the best so far. Training loss: mean over the epoch, "
      "dropout and augmentation included, while the weights change. Validation loss: of the "
      "epoch's last weights, without either.</p>\n";
}

void Page::evaluation() {
  section("Results on the " + escaped(data_.part) + " images");
  const std::vector<Picture> pictures = evaluation_pictures(data_, analysis_);
  show({pictures[0], pictures[1]});
  class_table();
  show({pictures[2], pictures[3]});
  out_ +=
      "<p class=\"muted\">AUC is the probability that an image of the class gets a higher score "
      "than one of the others: 0.5 is guessing. A calibrated model is right in 80 % of the answers "
      "it gives with 80 %: its bars end at the dashed line, and the calibration error (ECE, 15 "
      "bins) is 0.</p>\n";
}

/// The layout of sklearn's classification_report.
void Page::class_table() {
  std::string rows;
  for (int64_t c = 0; c < confusion().classes(); ++c) {
    std::vector<std::string> row = score_cells(escaped(class_name(c)), confusion().scores(c));
    row.push_back(fixed(analysis_.auc[static_cast<size_t>(c)], 4));
    row.push_back(fixed(analysis_.average_precision[static_cast<size_t>(c)], 4));
    rows += table_row(row);
  }
  rows += table_row(
      {"accuracy", "", "", fixed(confusion().accuracy(), 4), str(confusion().total()), "", ""},
      " class=\"sum\"");
  for (const auto& [name, scores] : {std::pair{"macro average", confusion().macro()},
                                     std::pair{"weighted average", confusion().weighted()}}) {
    std::vector<std::string> row = score_cells(name, scores);
    row.insert(row.end(), {"", ""});
    rows += table_row(row);
  }
  out_ +=
      table("Each class",
            {"class", "precision", "recall", "F1", "support", "AUC", "average precision"}, rows);
}

void Page::errors() {
  section("What the errors have in common");
  out_ += "<ul>\n";
  for (const std::string& line : error_summary(analysis_, *data_.evaluation, *data_.dataset)) {
    out_ += "<li>" + escaped(line) + "</li>\n";
  }
  out_ += "</ul>\n";
  if (analysis_.traits.empty()) return;
  std::string rows;
  for (const PictureTrait& trait : analysis_.traits) {
    rows += table_row({trait.name, fixed(trait.right, 1), fixed(trait.wrong, 1),
                       (trait.difference > 0 ? "+" : "") + fixed(trait.difference, 2)});
  }
  out_ +=
      table("Pictures answered right and wrong",
            {"picture", "answered right", "answered wrong", "difference in std. deviations"}, rows);
  out_ +=
      "<p class=\"muted\">Means over the pictures, on a scale of 255: luminance, its standard "
      "deviation, the size of its Laplacian (smooth or filtered pictures have little), the "
      "distance between the colour channels.</p>\n";
}

void Page::gallery(const std::string& title, const std::string& explanation,
                   const std::vector<int64_t>& samples) {
  if (samples.empty()) return;
  out_ += "<h3>" + title + "</h3>\n<p class=\"muted\">" + explanation +
          "</p>\n<div class=\"gallery\">\n";
  for (const int64_t i : samples) {
    const auto predicted = data_.evaluation->predictions[static_cast<size_t>(i)];
    const int64_t actual = data_.dataset->label(i);
    const std::filesystem::path path(data_.dataset->name(i));
    const std::string name = escaped(path.filename().string());
    const std::string breakable =
        escaped(path.stem().string()) + "<wbr>" + escaped(path.extension().string());
    out_ +=
        str("<figure><img alt=\"", name, "\" src=\"", thumbnail_uri(*data_.dataset->load(i), 160),
            "\"><figcaption><b class=\"", predicted == actual ? "good" : "bad", "\">",
            escaped(class_name(predicted)), ' ', fixed(confidence(*data_.evaluation, i), 3), "</b>",
            predicted == actual ? "" : " is " + escaped(class_name(actual)),
            "<br><span class=\"muted\">loss ",
            fixed(data_.evaluation->sample_loss[static_cast<size_t>(i)], 3), "<br>", breakable,
            "</span></figcaption></figure>\n");
  }
  out_ += "</div>\n";
}

void Page::galleries() {
  section("Single images");
  const auto first = [&](const std::vector<int64_t>& all) {
    const size_t count = std::min(data_.top_losses, all.size());
    return std::vector<int64_t>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  };
  std::vector<int64_t> unsure(analysis_.right.rbegin(), analysis_.right.rend());
  gallery("Top losses", "What the model finds hardest, right or wrong.", first(analysis_.by_loss));
  gallery("Wrong, most confident first", "Start here: mislabelled images end up here as well.",
          first(analysis_.wrong));
  gallery("Right, most confident first", "What the model takes for typical.",
          first(analysis_.right));
  gallery("Right, least confident first", "Narrowly right.", first(unsure));
}

void Page::corruption() {
  section("Accuracy under corruption");
  for (const Picture& picture : data_pictures(data_, analysis_)) {
    if (picture.file == "corruption") show({picture});
  }
  out_ +=
      "<p class=\"muted\">The same images, changed as photos are on their way: blurred, noisy, "
      "darker, "
      "brighter, with less contrast, saved again as JPEG.</p>\n";
}

void Page::about_data() {
  section("Data");
  std::vector<Picture> pictures = data_pictures(data_, analysis_);
  std::erase_if(pictures, [](const Picture& picture) { return picture.file == "corruption"; });
  show(pictures);
  if (!analysis_.widths.empty()) {
    const auto [w0, w1] = std::minmax_element(analysis_.widths.begin(), analysis_.widths.end());
    const auto [h0, h1] = std::minmax_element(analysis_.heights.begin(), analysis_.heights.end());
    out_ += str("<p>", analysis_.widths.size(), " ", escaped(data_.part),
                " images were looked at: ", *w0 == *w1 ? str(*w0) : str(*w0, " to ", *w1),
                " pixels wide, ", *h0 == *h1 ? str(*h0) : str(*h0, " to ", *h1), " high.</p>\n");
  }
  if (data_.train_batch.empty()) return;
  out_ +=
      "<h3>A training batch</h3>\n<p class=\"muted\">As the network gets it: cropped, resized and "
      "augmented.</p>\n<div class=\"gallery\">\n";
  for (const Tile& tile : data_.train_batch) {
    const std::string caption = tile.captions.empty() ? "" : escaped(tile.captions.front().text);
    out_ += str("<figure><img alt=\"", caption, "\" src=\"", thumbnail_uri(tile.image, 132),
                "\"><figcaption>", caption, "</figcaption></figure>\n");
  }
  out_ += "</div>\n";
}

}  // namespace

std::string thumbnail_uri(const data::Image& image, int64_t side) {
  return "data:image/jpeg;base64," + base64(data::encode_jpeg(thumbnail(image, side), 80));
}

std::string report_page(const ReportData& data, const Analysis& analysis) {
  return Page(data, analysis).write();
}

}  // namespace burin::apps
