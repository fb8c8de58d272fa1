//! `index.html`: the template filled with the page's scripts and style sheets.

use std::collections::BTreeMap;
use std::path::Path;

use handlebars::Handlebars;
use serde::Serialize;

use crate::finding::{Finding, OTHER, Spot, spot_of_line};
use crate::link::{Need, Page};

/// What a template may use.
#[derive(Debug, Serialize)]
struct Variables<'a> {
    title: &'a str,
    entry: String,
    styles: Vec<String>,
    preloads: Vec<String>,
    preload_json: String,
}

/// The page that `template` makes of `page`.
pub fn render(template: &Path, title: &str, page: &Page) -> Result<String, Finding> {
    let text = std::fs::read_to_string(template)
        .map_err(|error| Finding::error(OTHER, format!("the page's template cannot be read: {error}")).at(template, Spot::START))?;
    let address = |file: &String| format!("/{file}");
    let variables = Variables {
        title,
        entry: address(&page.entry),
        styles: page.styles.iter().map(address).collect(),
        preloads: page.scripts.iter().map(address).collect(),
        preload_json: preload_json(&page.lazy),
    };
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    let wrong = |message: String, line: Option<usize>, column: Option<usize>| {
        let spot = spot_of_line(&text, line.unwrap_or(1), column.unwrap_or(1));
        Finding::error(OTHER, format!("the page's template is wrong: {message}"))
            .at(template, spot)
            .help("it may use title, entry, styles, preloads and preload_json")
    };
    engine.register_template_string("page", &text).map_err(|error| {
        let (line, column) = error.pos().unzip();
        wrong(error.reason().to_string(), line, column)
    })?;
    engine.render("page", &variables).map_err(|error| wrong(error.reason().to_string(), error.line_no, error.column_no))
}

/// What each lazy chunk needs besides itself, as text that may stand inside a `<script>` element.
fn preload_json(lazy: &BTreeMap<String, Need>) -> String {
    let address = |file: &String| format!("/{file}");
    let needs: BTreeMap<&str, Need> = lazy
        .iter()
        .filter(|(_, need)| !need.is_empty())
        .map(|(file, need)| {
            let need = Need { css: need.css.iter().map(address).collect(), js: need.js.iter().map(address).collect() };
            (file.rsplit('/').next().unwrap_or(file), need)
        })
        .collect();
    let text = serde_json::to_string(&needs).unwrap_or_else(|_| "{}".to_owned());
    text.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preloads_name_only_what_is_needed_and_cannot_end_the_element() {
        let need = |css: &[&str]| Need { css: css.iter().map(|&file| file.to_owned()).collect(), js: Vec::new() };
        let lazy = BTreeMap::from([
            ("assets/a.js".to_owned(), need(&["assets/</script>.css"])),
            ("assets/b.js".to_owned(), need(&[])),
        ]);
        assert_eq!(preload_json(&lazy), r#"{"a.js":{"css":["/assets/\u003c/script>.css"]}}"#);
    }
}
