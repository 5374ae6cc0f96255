"""axe-core, which knows what keeps people out of a page (https://github.com/dequelabs/axe-core, MPL 2.0). It is not
part of this project: `npm install axe-core` in the project's root or above it, or BURIN_AXE=…/axe.min.js, and it is used."""
import os

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def source():
    """Its text, or None where it is not installed."""
    given = os.environ.get("BURIN_AXE")
    folder = os.path.dirname(os.path.abspath(__file__))
    while not given and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        installed = os.path.join(folder, "node_modules", "axe-core", "axe.min.js")
        given = installed if os.path.exists(installed) else None
    if not given:
        return None
    with open(given, encoding="utf-8") as file:
        return file.read()


def findings(browser, script):
    """What is wrong with the page as it is, a line each; a contrast that could not be told is wrong too."""
    browser.run(script + """
        ;window.axeResult = null;
        axe.run(document, { runOnly: { type: 'tag', values: arguments[0] }, resultTypes: ['violations', 'incomplete'] }).then(
          (result) => { window.axeResult = result; }, (error) => { window.axeResult = { failed: String(error) }; });
        """, TAGS)
    result = browser.wait("window.axeResult", "axe")
    if "failed" in result:
        return [result["failed"]]
    wrong = result["violations"] + [rule for rule in result["incomplete"] if rule["id"] == "color-contrast"]
    return [f"{rule['id']} at {node['target']}: {node['failureSummary']}" for rule in wrong for node in rule["nodes"]]
