//! `index.html`: the template filled with the page's scripts and style sheets.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use handlebars::Handlebars;
use serde::Serialize;

use crate::finding::{Finding, OTHER, Spot, spot_of_line};
use crate::link::{HASH_LEN, Need, Page};

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
        Finding::error(OTHER, format!("the page's template cannot be read: {error}"))
            .at(template, Spot::START)
    })?;
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
    engine
        .render("page", &variables)
        .map_err(|error| wrong(error.reason().to_string(), error.line_no, error.column_no))
}

/// What each lazy chunk needs besides itself, in the form that `link/load.js` reads.
///
/// A page may have a thousand lazy chunks, and a hash does not compress: files are named once, and a chunk goes by its
/// name without the hash wherever no other chunk has that name.
#[derive(Debug, Serialize)]
struct Preloads<'a> {
    files: Vec<String>,
    chunks: BTreeMap<&'a str, Vec<usize>>,
}

/// The preloads as text that may stand inside a `<script>` element.
fn preload_json(lazy: &BTreeMap<String, Need>) -> String {
    let mut namesakes: HashMap<&str, usize> = HashMap::new();
    for file in lazy.keys() {
        *namesakes.entry(short_name(file)).or_default() += 1;
    }
    // The files that most chunks need come first: short numbers for them.
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for file in lazy.values().flat_map(|need| need.css.iter().chain(&need.js)) {
        *uses.entry(file).or_default() += 1;
    }
    let mut files: Vec<&str> = uses.keys().copied().collect();
    files.sort_by_key(|file| std::cmp::Reverse(uses[file]));
    let index: HashMap<&str, usize> = files.iter().enumerate().map(|(index, file)| (*file, index)).collect();
    let chunks = lazy.iter().filter(|(_, need)| !need.is_empty()).map(|(file, need)| {
        let short = short_name(file);
        let name = if namesakes[short] == 1 { short } else { long_name(file) };
        (name, need.css.iter().chain(&need.js).map(|file| index[file.as_str()]).collect())
    });
    let preloads =
        Preloads { chunks: chunks.collect(), files: files.iter().map(|file| format!("/{file}")).collect() };
    let text = serde_json::to_string(&preloads).unwrap_or_else(|_| "{}".to_owned());
    text.replace('<', "\\u003c")
}

/// `assets/Card-0a1b2c3d.js` → `Card-0a1b2c3d`.
fn long_name(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".js").unwrap_or(name)
}

/// `assets/Card-0a1b2c3d.js` → `Card`.
fn short_name(file: &str) -> &str {
    let name = long_name(file);
    name.len().checked_sub(HASH_LEN + 1).and_then(|end| name.get(..end)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(css: &[&str], js: &[&str]) -> Need {
        let owned = |files: &[&str]| files.iter().map(|&file| file.to_owned()).collect();
        Need { css: owned(css), js: owned(js) }
    }

    #[test]
    fn preloads_name_only_what_is_needed_and_cannot_end_the_element() {
        let lazy = BTreeMap::from([
            ("assets/a-11111111.js".to_owned(), need(&["assets/</script>.css"], &[])),
            ("assets/b-22222222.js".to_owned(), need(&[], &[])),
        ]);
        assert_eq!(preload_json(&lazy), r#"{"files":["/assets/\u003c/script>.css"],"chunks":{"a":[0]}}"#);
    }

    #[test]
    fn namesakes_keep_their_hash() {
        let lazy = BTreeMap::from([
            ("assets/index-11111111.js".to_owned(), need(&[], &["assets/s.js"])),
            ("assets/index-22222222.js".to_owned(), need(&["assets/c.css"], &["assets/s.js"])),
        ]);
        assert_eq!(
            preload_json(&lazy),
            r#"{"files":["/assets/s.js","/assets/c.css"],"chunks":{"index-11111111":[0],"index-22222222":[1,0]}}"#
        );
    }
}
