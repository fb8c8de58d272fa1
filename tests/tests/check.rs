//! `cargo xtask check` as it is called: answers from its cache are the same bytes, changes are never overlooked, and
//! `--watch` answers after every change until it is interrupted.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use hub_tests::xtask::{Ran, prepared, run, xtask};
use tempfile::TempDir;

/// Longer than what counts as touched just now.
const SETTLED: Duration = Duration::from_millis(40);
/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const MANIFEST: &str = "name: crm\nversion: 1.0.0\ndisplay_name: CRM\n";
const CLAIM: &str = "{ \"overrides\": { \"nobody.asks\": \"src/View.tsx\" } }\n";
const VIEW: &str = "export default function View() { return <p>View</p>; }\n";

/// A plugin root with one plugin that has one warning, and a folder for what `check` keeps.
struct Tree {
    plugins: TempDir,
    target: TempDir,
}

impl Tree {
    /// Nothing where there is no program to run with a target folder of its own.
    fn new() -> Option<Tree> {
        prepared("HUB_XTASK")?;
        let folder = || tempfile::tempdir().expect("a temporary folder");
        let tree = Tree { plugins: folder(), target: folder() };
        tree.write("crm/plugin.yaml", MANIFEST);
        tree.write("crm/frontend/overrides.json", CLAIM);
        tree.write("crm/frontend/src/View.tsx", VIEW);
        Some(tree)
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.plugins.path().join(inner)
    }

    fn write(&self, inner: &str, text: &str) {
        let path = self.path(inner);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn cache(&self) -> PathBuf {
        self.target.path().join("platform/check.json")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = xtask(["check", "--plugins"]);
        command.arg(self.plugins.path()).args(arguments).env("CARGO_TARGET_DIR", self.target.path());
        command
    }

    fn check(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    /// What a run finds that knows of no other.
    fn anew(&self, arguments: &[&str]) -> Ran {
        let empty = tempfile::tempdir().expect("a temporary folder");
        let mut command = self.command(arguments);
        command.env("CARGO_TARGET_DIR", empty.path());
        run(command)
    }
}

fn same(one: &Ran, other: &Ran, what: &str) {
    assert_eq!((one.code, &one.stdout, &one.stderr), (other.code, &other.stdout, &other.stderr), "{what}");
}

#[test]
fn a_cached_answer_is_the_same_to_the_byte() {
    let Some(tree) = Tree::new() else { return };
    tree.write("sales/plugin.yaml", "name: sales\nversion: one\n");
    thread::sleep(SETTLED);
    for format in ["human", "json", "sarif"] {
        for more in [&[][..], &["--deny-warnings"]] {
            let arguments = [&["--message-format", format], more].concat();
            let cold = tree.anew(&arguments).expect(1);
            assert!(format!("{}{}", cold.stdout, cold.stderr).contains("HUB077"), "{cold:?}");
            for round in 0..3 {
                same(&tree.check(&arguments), &cold, &format!("{arguments:?}, round {round}"));
            }
        }
    }
    // The answers did come from the cache: what it says is what is told.
    let kept = fs::read_to_string(tree.cache()).expect("the cache");
    fs::write(tree.cache(), kept.replace("nothing asks for", "SOMETHING asks for")).expect("a file");
    assert!(tree.check(&[]).stderr.contains("SOMETHING asks for"));
}

/// The last line for programs says `ok` of nothing that somebody should look at.
#[test]
fn the_last_line_tells_warnings_from_nothing_at_all() {
    let Some(tree) = Tree::new() else { return };
    let last = |more: &[&str]| {
        let ran = tree.check(&[&["--message-format", "json"], more].concat());
        let last = ran.messages().pop().expect("a last line");
        let word = |field: &str| last[field].as_str().unwrap_or_default().to_string();
        (word("type"), word("status"), last["ok"] == true, ran.code)
    };
    let finished =
        |status: &str, ok: bool, code: i32| ("finished".to_string(), status.to_string(), ok, Some(code));
    assert_eq!(last(&[]), finished("warnings", false, 0));
    assert_eq!(last(&["--deny-warnings"]), finished("failed", false, 1));
    tree.write("crm/frontend/overrides.json", "{ \"overrides\": {} }\n");
    assert_eq!(last(&[]), finished("ok", true, 0));
    tree.write("crm/plugin.yaml", "name: crm\n");
    assert_eq!(last(&[]), finished("failed", false, 1));
}

#[test]
fn every_kind_of_change_changes_the_answer() {
    let Some(tree) = Tree::new() else { return };
    let mut before = tree.check(&[]).expect(0);
    let mut changes = |what: &str, code: i32, wanted: &str| {
        for settled in [false, true] {
            if settled {
                thread::sleep(SETTLED);
            }
            let now = tree.check(&[]);
            same(&now, &tree.anew(&[]), what);
            assert_eq!(now.code, Some(code), "{what}: {}", now.stderr);
            assert!(now.stderr.contains(wanted), "{what}: no `{wanted}` in\n{}", now.stderr);
            if !settled {
                assert_ne!(now.stderr, before.stderr, "{what}: another answer than before");
            }
            before = now;
        }
    };
    tree.write("crm/frontend/src/View.tsx", &VIEW.replace("<p>", "<b>"));
    changes("an edit of the same size", 1, "HUB040");
    tree.write("crm/frontend/src/View.tsx", VIEW);
    changes("the edit undone", 0, "1 vertical plugin checked");
    tree.write("sales/plugin.yaml", &MANIFEST.replace("crm", "sales"));
    changes("a plugin added", 0, "2 vertical plugins checked");
    fs::remove_dir_all(tree.path("sales")).expect("a folder can be removed");
    changes("a plugin removed", 0, "1 vertical plugin checked");
    fs::rename(tree.path("crm/frontend/src/View.tsx"), tree.path("crm/frontend/src/Wiew.tsx"))
        .expect("renamed");
    changes("a file renamed", 1, "HUB044");
    fs::rename(tree.path("crm/frontend/src/Wiew.tsx"), tree.path("crm/frontend/src/View.tsx"))
        .expect("renamed");
    changes("the file renamed back", 0, "HUB077");
    std::os::unix::fs::symlink("/etc/hostname", tree.path("crm/name.txt")).expect("a link can be made");
    changes("a link that leads out", 1, "HUB007");
    fs::remove_file(tree.path("crm/name.txt")).expect("a file can be removed");
    changes("the link removed", 0, "HUB077");
    tree.write("crm/frontend/node_modules/react/package.json", "{}");
    changes("a React of its own", 1, "HUB087");
}

#[test]
fn rights_and_times_that_change_are_looked_into() {
    let Some(tree) = Tree::new() else { return };
    let view = tree.path("crm/frontend/src/View.tsx");
    let kept = || fs::read(tree.cache()).unwrap_or_default();
    thread::sleep(SETTLED);
    tree.check(&[]).expect(0);
    let mut before = kept();
    assert!(!before.is_empty(), "a settled tree is remembered");
    tree.check(&[]).expect(0);
    assert_eq!(kept(), before, "nothing changed, nothing was checked");
    let touch = || {
        let file = fs::File::options().append(true).open(&view).expect("a file");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time can be set");
    };
    let chmod = || fs::set_permissions(&view, fs::Permissions::from_mode(0o600)).expect("rights can be set");
    for (what, change) in [("touch", &touch as &dyn Fn()), ("chmod", &chmod)] {
        change();
        thread::sleep(SETTLED);
        tree.check(&[]).expect(0);
        assert_ne!(kept(), before, "{what}: the tree was checked anew");
        before = kept();
    }
}

#[test]
fn another_question_gets_another_answer() {
    let Some(tree) = Tree::new() else { return };
    thread::sleep(SETTLED);
    tree.check(&[]).expect(0);
    tree.check(&["--deny-warnings"]).expect(1);
    tree.check(&[]).expect(0);
    let more = tempfile::tempdir().expect("a temporary folder");
    let plugin = more.path().join("sales");
    fs::create_dir(&plugin).expect("a folder");
    fs::write(plugin.join("plugin.yaml"), MANIFEST.replace("crm", "sales")).expect("a file");
    let root = more.path().display().to_string();
    assert!(tree.check(&["--plugins", &root]).expect(0).stderr.contains("2 vertical plugins checked"));
    assert!(tree.check(&[]).expect(0).stderr.contains("1 vertical plugin checked"));
}

#[test]
fn a_cache_that_is_none_is_made_anew() {
    let Some(tree) = Tree::new() else { return };
    thread::sleep(SETTLED);
    let cold = tree.check(&[]).expect(0);
    let kept = fs::read(tree.cache()).expect("the cache");
    for spoilt in [&b""[..], b"{}", b"[{\"key\":", b"\xff\xfe", &kept[..kept.len() / 2]] {
        fs::write(tree.cache(), spoilt).expect("a file");
        same(&tree.check(&[]), &cold, "a cache that is none");
        assert_eq!(fs::read(tree.cache()).expect("the cache"), kept, "it is whole again");
    }
    fs::remove_file(tree.cache()).expect("a file can be removed");
    fs::create_dir(tree.cache()).expect("a folder can be made");
    same(&tree.check(&[]), &cold, "a folder in its place");
}

/// `check --watch`, running.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(tree: &Tree, arguments: &[&str], json: bool) -> Watching {
        let mut command = tree.command(&[&["--watch"], arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("piped"));
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("piped"));
        let (said, ignored) = if json { (stdout, stderr) } else { (stderr, stdout) };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(said).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        thread::spawn(move || std::io::copy(&mut BufReader::new(ignored), &mut std::io::sink()));
        Watching { child, lines }
    }

    /// The lines up to the one that ends an answer.
    fn answer(&self, end: &str) -> String {
        let mut out = String::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer after\n{out}"));
            out.push_str(&line);
            out.push('\n');
            if line.contains(end) {
                return out;
            }
        }
    }

    /// The first answer that holds some words. One write may be seen as two, and be answered twice.
    fn until(&self, end: &str, wanted: &str) -> String {
        loop {
            let answer = self.answer(end);
            if answer.contains(wanted) {
                return answer;
            }
        }
    }

    /// Interrupts it as Ctrl-C does; gives the exit code.
    fn interrupt(mut self) -> Option<i32> {
        // SAFETY: the child was not waited for yet, so the number is still its own.
        assert_eq!(unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGINT) }, 0);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watching_answers_after_every_change() {
    let Some(tree) = Tree::new() else { return };
    tree.write(
        "crm/frontend/overrides.json",
        "{ \"overrides\": { \"dashboard.view\": \"src/View.tsx\" } }\n",
    );
    let watching = Watching::start(&tree, &[], false);
    let until = |wanted: &str| watching.until("; watching for changes", wanted);
    let first = until("checked");
    assert!(first.starts_with("1 vertical plugin checked in "), "{first}");
    assert!(first.ends_with(" ms: no errors, no warnings; watching for changes\n"), "{first}");

    tree.write("crm/frontend/src/View.tsx", &VIEW.replace("<p>", "<b>"));
    assert!(until("error[HUB040]").contains("in 1 plugin; watching for changes"));
    tree.write("crm/frontend/src/View.tsx", VIEW);
    assert!(!until(": no errors, no warnings;").contains("HUB040"));

    // As editors do it: beside the file first, in its place then.
    tree.write("crm/frontend/src/.View.tsx.new", &VIEW.replace("<p>", "<b>"));
    fs::rename(tree.path("crm/frontend/src/.View.tsx.new"), tree.path("crm/frontend/src/View.tsx"))
        .expect("renamed");
    until("error[HUB040]");
    tree.write("crm/frontend/src/View.tsx", VIEW);
    until(": no errors, no warnings;");

    tree.write("sales/plugin.yaml", &MANIFEST.replace("crm", "sales"));
    until("2 vertical plugins checked");
    fs::remove_dir_all(tree.path("sales")).expect("a folder can be removed");
    until("1 vertical plugin checked");
    assert_eq!(watching.interrupt(), Some(0), "an interrupt is how it ends");
}

#[test]
fn watching_ends_every_answer_for_programs() {
    let Some(tree) = Tree::new() else { return };
    let watching = Watching::start(&tree, &["--message-format", "json"], true);
    let until = |wanted: &str| -> Vec<serde_json::Value> {
        let text = watching.until("\"type\":\"finished\"", wanted);
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    assert_eq!(until("HUB077").len(), 2, "a finding and the end");
    tree.write("crm/frontend/src/View.tsx", &VIEW.replace("<p>", "<b>"));
    let wrong = until("HUB040");
    let last = wrong.last().expect("a last line");
    assert_eq!((&last["ok"], &last["warnings"]), (&false.into(), &1.into()), "{last}");
    tree.write("crm/frontend/src/View.tsx", VIEW);
    assert_eq!(until("\"status\":\"warnings\"").len(), 2, "the error is gone");
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn watching_has_no_words_for_what_cannot_be() {
    let Some(tree) = Tree::new() else { return };
    let sarif = tree.check(&["--watch", "--message-format", "sarif"]).expect(2);
    assert!(sarif.stderr.contains("take --message-format json"), "{}", sarif.stderr);
    tree.check(&["--watch", "--dbt"]).expect(2);
    let nowhere = Path::new("no/such/folder").display().to_string();
    let gone = tree.check(&["--watch", "--plugins", &nowhere]).expect(2);
    assert!(gone.stderr.contains("there is no folder no/such/folder"), "{}", gone.stderr);
}
