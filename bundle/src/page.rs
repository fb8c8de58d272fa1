//! `index.html`: the template filled with the page's scripts and style sheets.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use handlebars::Handlebars;
use hub_manifest::codes;
use serde::Serialize;

use crate::finding::{Finding, Spot, spot_of_line};
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
    let text = std::fs::read_to_string(template).map_err(|error| {
        Finding::error(codes::BUNDLER, format!("the page's template cannot be read: {error}"))
            .at(template, Spot::START)
    })?;
    let address = |file: &String| format!("/{file}");
    let variables = Variables {
        title,
        entry: address(&page.entry),
        styles: page.styles.iter().map(address).collect(),
        preloads: page.scripts.iter().map(address).collect(),
        preload_json: preload_json(page),
    };
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    let wrong = |message: String, line: Option<usize>, column: Option<usize>| {
        let spot = spot_of_line(&text, line.unwrap_or(1), column.unwrap_or(1));
        Finding::error(codes::BUNDLER, format!("the page's template is wrong: {message}"))
            .at(template, spot)
            .help("it may use title, entry, styles, preloads and preload_json")
    };
    engine.register_template_string("page", &text).map_err(|error| {
        let (line, column) = error.pos().unzip();
        wrong(error.reason().to_string(), line, column)
    })?;
    engine
        .render("page", &variables)
        .map_err(|error| wrong(error.reason().to_string(), error.line_no, error.column_no))
}

/// Where the lazy chunks are and what they need besides themselves, in the form that `link/load.js` reads.
///
/// A page may have a thousand of them, and a hash does not compress: every file is named once.
#[derive(Debug, Serialize)]
struct Preloads<'a> {
    files: Vec<String>,
    chunks: BTreeMap<&'a str, Vec<Item<'a>>>,
}

/// A chunk's own script, then what it needs.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Script(&'a str),
    File(usize),
}

/// The preloads as text that may stand inside a `<script>` element.
fn preload_json(page: &Page) -> String {
    let nothing = Need::default();
    let needs = |file: &str| page.lazy.get(file).unwrap_or(&nothing);
    // The files that most chunks need come first: short numbers for them.
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for file in page.names.values().flat_map(|file| needs(file).css.iter().chain(&needs(file).js)) {
        *uses.entry(file).or_default() += 1;
    }
    let mut files: Vec<&str> = uses.keys().copied().collect();
    files.sort_by_key(|file| std::cmp::Reverse(uses[file]));
    let index: HashMap<&str, usize> = files.iter().enumerate().map(|(index, file)| (*file, index)).collect();
    let chunks = page.names.iter().map(|(name, file)| {
        let need = needs(file).css.iter().chain(&needs(file).js).map(|file| Item::File(index[file.as_str()]));
        (name.as_str(), std::iter::once(Item::Script(stem(file))).chain(need).collect())
    });
    let preloads =
        Preloads { chunks: chunks.collect(), files: files.iter().map(|file| format!("/{file}")).collect() };
    let text = serde_json::to_string(&preloads).unwrap_or_else(|_| "{}".to_owned());
    text.replace('<', "\\u003c")
}

/// `assets/Card-0a1b2c3d.js` → `Card-0a1b2c3d`.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".js").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preloads_name_every_file_once_and_cannot_end_the_element() {
        let need = |css: &[&str], js: &[&str]| {
            let owned = |files: &[&str]| files.iter().map(|&file| file.to_owned()).collect();
            Need { css: owned(css), js: owned(js) }
        };
        let page = Page {
            lazy: BTreeMap::from([
                ("assets/a-1.js".to_owned(), need(&["assets/</script>.css"], &["assets/s.js"])),
                ("assets/b-2.js".to_owned(), need(&[], &["assets/s.js"])),
                ("assets/s.js".to_owned(), need(&[], &[])),
            ]),
            names: BTreeMap::from([
                ("a".into(), "assets/a-1.js".into()),
                ("b".into(), "assets/b-2.js".into()),
            ]),
            ..Page::default()
        };
        assert_eq!(
            preload_json(&page),
            r#"{"files":["/assets/s.js","/assets/\u003c/script>.css"],"chunks":{"a":["a-1",1,0],"b":["b-2",0]}}"#
        );
    }
}
