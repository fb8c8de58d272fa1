//! Which chunks and styles a page or a lazy chunk needs besides itself: pure functions over the chunk graph.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Chunk;

/// What must be fetched with a lazy chunk and is not on the page already. Paths are relative to the output folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need {
    /// Style sheets, in cascade order.
    pub css: Vec<String>,
    /// Scripts.
    pub js: Vec<String>,
}

/// What the page itself loads, and what each lazy chunk adds to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The script that starts the page.
    pub entry: String,
    /// The scripts that it imports, in the order they run.
    pub scripts: Vec<String>,
    /// The style sheets of all of these, in cascade order.
    pub styles: Vec<String>,
    /// What each chunk outside the page needs, by file.
    pub lazy: BTreeMap<String, Need>,
    /// The file that each name stands for by which scripts ask for a chunk.
    pub names: BTreeMap<String, String>,
}

impl Page {
    /// Works out the page from the chunks.
    pub fn of(chunks: &[Chunk]) -> Page {
        let by_file: HashMap<&str, &Chunk> =
            chunks.iter().map(|chunk| (chunk.file.as_str(), chunk)).collect();
        let imports = |file: &str| by_file.get(file).map_or(&[][..], |chunk| &chunk.imports);
        let style = |file: &str| {
            by_file.get(file).and_then(|chunk| chunk.style.as_ref()).map(|(path, _)| path.clone())
        };
        let Some(entry) = chunks.iter().find(|chunk| chunk.entry) else { return Page::default() };
        let eager = closure(&entry.file, imports);
        let on_page: HashSet<&str> = eager.iter().copied().collect();
        let lazy = chunks.iter().filter(|chunk| !on_page.contains(chunk.file.as_str())).map(|chunk| {
            let added: Vec<&str> =
                closure(&chunk.file, imports).into_iter().filter(|file| !on_page.contains(file)).collect();
            let need = Need {
                css: added.iter().filter_map(|file| style(file)).collect(),
                js: added.iter().filter(|file| **file != chunk.file).map(|file| (*file).to_owned()).collect(),
            };
            (chunk.file.clone(), need)
        });
        Page {
            entry: entry.file.clone(),
            lazy: lazy.collect(),
            names: chunks
                .iter()
                .filter_map(|chunk| Some((chunk.name.clone()?, chunk.file.clone())))
                .collect(),
            styles: eager.iter().filter_map(|file| style(file)).collect(),
            scripts: eager
                .iter()
                .filter(|file| **file != entry.file)
                .map(|file| (*file).to_owned())
                .collect(),
        }
    }
}

/// `start` and everything it imports, each once, in the order in which they run: imports before their importer.
pub fn closure<'a, I>(start: &'a str, imports: impl Fn(&str) -> &'a [I]) -> Vec<&'a str>
where
    I: AsRef<str> + 'a,
{
    let mut order = Vec::new();
    let mut seen = HashSet::from([start]);
    // Each entry: a chunk and how many of its imports have been looked at.
    let mut path = vec![(start, 0)];
    while let Some((file, next)) = path.last_mut() {
        match imports(file).get(*next) {
            Some(import) => {
                *next += 1;
                let import = import.as_ref();
                if seen.insert(import) {
                    path.push((import, 0));
                }
            }
            None => {
                order.push(*file);
                path.pop();
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(file: &str, imports: &[&str], style: bool) -> Chunk {
        Chunk {
            file: file.to_owned(),
            name: (file.len() == 1).then(|| file.to_uppercase()),
            code: String::new(),
            map: None,
            entry: file == "main",
            imports: imports.iter().map(|&import| import.to_owned()).collect(),
            modules: Vec::new(),
            style: style.then(|| (format!("{file}.css"), String::new())),
        }
    }

    #[test]
    fn a_lazy_chunk_needs_what_the_page_does_not_have() {
        let page = Page::of(&[
            chunk("main", &["vendor", "ui"], true),
            chunk("vendor", &[], true),
            chunk("ui", &["vendor"], false),
            chunk("a", &["chart", "ui", "vendor"], true),
            chunk("b", &["main"], false),
            chunk("chart", &["vendor"], true),
        ]);
        assert_eq!(page.entry, "main");
        assert_eq!(page.scripts, ["vendor", "ui"]);
        assert_eq!(page.styles, ["vendor.css", "main.css"]);
        assert_eq!(
            page.lazy["a"],
            Need { css: vec!["chart.css".into(), "a.css".into()], js: vec!["chart".into()] }
        );
        assert_eq!(page.lazy["b"], Need::default());
        assert_eq!(page.lazy["chart"].css, ["chart.css"]);
        assert_eq!(page.names, BTreeMap::from([("A".into(), "a".into()), ("B".into(), "b".into())]));
    }

    #[test]
    fn cycles_end() {
        let page =
            Page::of(&[chunk("main", &["a"], false), chunk("a", &["b"], false), chunk("b", &["a"], false)]);
        assert_eq!(page.scripts, ["b", "a"]);
    }
}
