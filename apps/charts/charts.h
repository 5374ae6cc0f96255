#pragma once

#include <string>
#include <vector>

#include "burin/apps/charts/drawing.h"

namespace burin::apps::charts {

struct Series {
  std::string name;
  std::vector<Point> points;
  bool dashed = false;
};

/// A value marked by a dot and a name: a suggestion, the best epoch.
struct Mark {
  Point at;
  std::string name;
};

/// Values over a quantity, series by series, with a legend where there are several.
struct LineChart {
  std::string title;
  std::string x_name, y_name;
  std::vector<Series> series;
  std::vector<Mark> marks = {};
  bool whole_x = false;        // x counts something: epochs
  bool logarithmic_x = false;  // learning rates
  bool shares = false;         // y lies in 0 … 1
  bool diagonal = false;       // both in 0 … 1, with a dashed diagonal: ROC
  double width = 640, height = 400;
};
Drawing draw(const LineChart& chart);

/// A matrix of counts, [actual][predicted], coloured by row; with `normalised` shares of the rows.
struct MatrixChart {
  std::string title;
  std::vector<std::string> labels;
  std::vector<std::vector<double>> counts;
  bool normalised = false;
};
Drawing draw(const MatrixChart& chart);

/// A bar for each name, lying, with its value at its end.
struct BarChart {
  std::string title;
  std::string value_name;
  struct Bar {
    std::string name;
    double value = 0;
    Ink ink = Ink::blue;
    std::string text;  // at its end
  };
  std::vector<Bar> bars;
  double high = 0;  // end of the axis; 0: of the largest value
};
Drawing draw(const BarChart& chart);

/// Counts of values in equal bins, standing.
struct Histogram {
  std::string title;
  std::string x_name, y_name;
  std::vector<double> values;
  int bins = 20;
};
Drawing draw(const Histogram& chart);

/// Accuracy against confidence, bin by bin, and how many samples are in each.
struct ReliabilityChart {
  std::string title;
  struct Bin {
    double confidence = 0;  // mean
    double accuracy = 0;
    int64_t count = 0;
  };
  std::vector<Bin> bins;  // of equal width over 0 … 1
};
Drawing draw(const ReliabilityChart& chart);

}  // namespace burin::apps::charts
