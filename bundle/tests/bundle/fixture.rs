//! A repository made of one string, bundled by the real program.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What every fixture has: a page, packages in place of the real ones, and a shell that loads the overrides.
const BASE: &str = r#"
//- /repo/host-template/shell/index.html.hbs
<!doctype html>
<title>{{title}}</title>
{{#each styles}}
<link rel="stylesheet" href="{{this}}">
{{/each}}
{{#each preloads}}
<link rel="modulepreload" href="{{this}}">
{{/each}}
<script type="application/json" id="hub-preload">{{{preload_json}}}</script>
<script type="module" src="{{entry}}"></script>
//- /repo/host-template/shell/src/main.tsx
import { createRoot } from "react-dom/client";
import { overrides } from "@platform/overrides";
import "./theme.css";
createRoot(document.body).render(<main>{Object.keys(overrides).join()}</main>);
//- /repo/host-template/shell/src/theme.css
body { color: #112233; & a { color: red; } }
//- /repo/generated/overrides.ts
export const overrides = {};
export const entries = [];
//- /repo/package.json
{ "name": "fixture", "private": true }
//- /repo/node_modules/react/package.json
{ "name": "react", "version": "19.0.0", "license": "MIT", "main": "index.js" }
//- /repo/node_modules/react/index.js
exports.useState = function useState(value) { return [value, "the-one-react"]; };
//- /repo/node_modules/react/jsx-runtime.js
exports.jsx = function jsx(type, props) { return { type, props }; };
exports.jsxs = exports.jsx;
//- /repo/node_modules/react/LICENSE
Copyright of the react stand-in
//- /repo/node_modules/react-dom/package.json
{ "name": "react-dom", "version": "19.0.0", "main": "index.js" }
//- /repo/node_modules/react-dom/client.js
exports.createRoot = function createRoot(node) { return { render: (tree) => node.append(JSON.stringify(tree)) }; };
"#;

/// A folder of files and the job that bundles them.
pub struct Fixture {
    root: TempDir,
    repo: PathBuf,
    plugins: BTreeMap<String, PathBuf>,
    pub mode: &'static str,
    pub compress: bool,
}

/// What the program answered.
pub struct Outcome {
    pub code: i32,
    pub reply: Value,
    pub errors: String,
}

impl Fixture {
    /// The base and `files` over it. Each file begins with `//- /path`; `/repo/plugins/<slug>` and `/outside/<slug>` are
    /// plugins.
    pub fn new(files: &str) -> Fixture {
        Fixture::below("", files)
    }

    /// The same, some folders deeper.
    pub fn below(folder: &str, files: &str) -> Fixture {
        let root = tempfile::tempdir().expect("a folder for the fixture");
        let real = root.path().canonicalize().expect("the fixture's folder");
        let repo = real.join(folder).join("repo");
        let mut fixture = Fixture {
            root,
            repo: repo.clone(),
            plugins: BTreeMap::new(),
            mode: "production",
            compress: false,
        };
        for (path, text) in split(BASE).chain(split(files)) {
            // The repository may lie deeper, what is outside stays where it is.
            let path = match path.strip_prefix("repo/") {
                Some(rest) => repo.join(rest),
                None => real.join(path),
            };
            fixture.write(&path, text);
        }
        for folder in [repo.join("plugins"), real.join("outside")] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                fixture.plugins.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
            }
        }
        fixture
    }

    fn write(&self, path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder of the fixture");
        std::fs::write(path, text).expect("a file of the fixture");
    }

    /// Writes a file of the repository.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder of the fixture");
        std::fs::write(path, content).expect("a file of the fixture");
    }

    /// A path in the repository.
    pub fn path(&self, path: &str) -> PathBuf {
        self.repo.join(path)
    }

    /// The folder above everything.
    pub fn root(&self) -> PathBuf {
        self.root.path().canonicalize().expect("the fixture's folder")
    }

    /// The output folder.
    pub fn out(&self) -> PathBuf {
        self.repo.join("dist")
    }

    /// The job as the build tool would write it.
    pub fn job(&self) -> Value {
        json!({
            "repo": self.repo,
            "entry": self.repo.join("host-template/shell/src/main.tsx"),
            "html": self.repo.join("host-template/shell/index.html.hbs"),
            "generated": self.repo.join("generated"),
            "plugins": self.plugins,
            "out": self.out(),
            "mode": self.mode,
            "compress": self.compress,
            "title": "A & B",
        })
    }

    /// Runs the program.
    pub fn run(&self) -> Outcome {
        run(&self.job().to_string())
    }

    /// Runs the program, which must succeed without a word, and gives the reply.
    pub fn bundle(&self) -> Value {
        let outcome = self.run();
        assert_eq!(outcome.code, 0, "{} {}", outcome.reply, outcome.errors);
        assert_eq!(outcome.reply["diagnostics"], json!([]));
        outcome.reply
    }

    /// Every file of the output, by its path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.out()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => {
                        let name =
                            path.strip_prefix(self.out()).expect("a file below it").display().to_string();
                        files.insert(name, std::fs::read(&path).expect("an output file"));
                    }
                }
            }
        }
        files
    }

    /// The one file of the output whose path begins and ends so, as text.
    pub fn file(&self, start: &str, end: &str) -> (String, String) {
        let mut found: Vec<_> = self
            .files()
            .into_iter()
            .filter(|(path, _)| path.starts_with(start) && path.ends_with(end))
            .collect();
        assert_eq!(found.len(), 1, "one {start}…{end} among {:?}", self.files().keys());
        let (path, bytes) = found.remove(0);
        (path, String::from_utf8(bytes).expect("text"))
    }

    /// The findings as `code file:line:column+length message | help`, with paths below the root.
    pub fn findings(&self) -> (i32, Vec<String>) {
        let outcome = self.run();
        let root = format!("{}/", self.root().display());
        let line = |finding: &Value| {
            format!(
                "{}{} {}:{}:{}+{} {} | {}",
                finding["code"].as_str().unwrap_or("?"),
                if finding["level"] == "warning" { " warning" } else { "" },
                finding["file"].as_str().unwrap_or("-"),
                finding["line"],
                finding["column"],
                finding["length"],
                finding["message"].as_str().unwrap_or("?"),
                finding["help"].as_str().unwrap_or("?"),
            )
            .replace(&root, "")
        };
        let findings = outcome.reply["diagnostics"].as_array().cloned().unwrap_or_default();
        (outcome.code, findings.iter().map(line).collect())
    }

    /// What the page says of lazy chunks.
    pub fn preload(&self) -> Value {
        let (_, page) = self.file("index", ".html");
        let text = page.split("id=\"hub-preload\">").nth(1).and_then(|rest| rest.split("</script>").next());
        serde_json::from_str(text.expect("the element")).expect("JSON in the element")
    }
}

/// Runs the program with `job` on its standard input.
pub fn run(job: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hub-bundle"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("its input").write_all(job.as_bytes()).expect("it takes the job");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    Outcome {
        code: output.status.code().unwrap_or(-1),
        reply: text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The files in a fixture's text.
fn split(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("//- /").skip(1).map(|part| part.split_once('\n').expect("a path, then the text"))
}

/// `overrides.ts` with one claim a module.
pub fn overrides(modules: &[&str]) -> String {
    let mut text = String::from("//- /repo/generated/overrides.ts\nexport const overrides = {\n");
    for (index, module) in modules.iter().enumerate() {
        text += &format!(
            "  \"key.{index}\": [{{ load: () => import(\"@plugins/{module}\").then((m) => m.default) }}],\n"
        );
    }
    text + "};\nexport const entries = [];\n"
}
