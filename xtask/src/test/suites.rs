//! Runs test programs, and reads from what they print which tests failed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// What a suite's test programs said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// How many tests passed.
    pub passed: usize,
    /// The tests that failed.
    pub failed: Vec<String>,
}

impl Said {
    /// Takes one line of libtest's.
    fn take(&mut self, line: &str) {
        let Some((name, end)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
            return;
        };
        match end.trim() {
            "FAILED" => self.failed.push(name.to_owned()),
            end if end.starts_with("ok") => self.passed += 1,
            _ => {}
        }
    }
}

/// Runs the test programs that `command` starts, and prints what they print. Before the last of their lines, which are the
/// runner's own verdict, `closing` has its say. The error tells how they ended.
pub fn run(command: &mut Command, out: &mut dyn Write, closing: &dyn Fn()) -> (Said, Result<(), String>) {
    let mut said = Said::default();
    let ended = spoken(command, &mut said, out, closing);
    (said, ended)
}

fn spoken(
    command: &mut Command,
    said: &mut Said,
    out: &mut dyn Write,
    closing: &dyn Fn(),
) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let failed = |error: io::Error| format!("cannot run {program:?}: {error}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut verdict = String::new();
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
        let line = String::from_utf8_lossy(&line.map_err(failed)?).into_owned() + "\n";
        said.take(line.trim_end());
        // Whether a verdict is the last one is known when nothing follows but empty lines.
        if line.starts_with("test result: ") || (!verdict.is_empty() && line == "\n") {
            if line.starts_with("test result: ") {
                out.write_all(verdict.as_bytes()).map_err(failed)?;
                verdict.clear();
            }
            verdict.push_str(&line);
        } else {
            out.write_all((std::mem::take(&mut verdict) + &line).as_bytes()).map_err(failed)?;
        }
        out.flush().map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    closing();
    out.write_all(verdict.as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("{program:?} failed ({status})")) }
}

/// Runs a command that has to end well.
pub fn pass(command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?} failed ({status})", command.get_program())),
        Err(error) => Err(format!("cannot start {:?}: {error}", command.get_program())),
    }
}

/// What many rounds of the same tests gave.
#[derive(Debug, Default)]
pub struct Rounds {
    rounds: usize,
    failed: BTreeMap<String, usize>,
}

impl Rounds {
    /// Counts one suite of one round. One that ended badly and names no test failed as a whole.
    pub fn add(&mut self, suite: &str, said: &Said, ended: &Result<(), String>) {
        let mut failed: Vec<String> = said.failed.iter().map(|test| format!("{suite}: {test}")).collect();
        if let (true, Err(problem)) = (failed.is_empty(), ended) {
            failed.push(format!("{suite}: {problem}"));
        }
        for test in failed {
            *self.failed.entry(test).or_default() += 1;
        }
    }

    /// Ends a round.
    pub fn next(&mut self) {
        self.rounds += 1;
    }

    /// Whether every test passed every time.
    pub fn sound(&self) -> bool {
        self.failed.is_empty()
    }

    /// One line for each test that failed: a flake where it passed in other rounds.
    pub fn told(&self) -> Vec<String> {
        let line = |(test, times): (&String, &usize)| {
            let kind = if *times < self.rounds { "flake" } else { "fails always" };
            format!("{kind}: {test} ({times} of {})", self.rounds)
        };
        let mut lines: Vec<String> = self.failed.iter().map(line).collect();
        if lines.is_empty() {
            lines.push(format!("0 flakes in {} rounds", self.rounds));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Where both the runner's lines and the closing ones go.
    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn spoken(script: &str) -> (String, Said, Result<(), String>) {
        let shared = Shared::default();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let closing = || writeln!(shared.clone(), "skipped: x").unwrap();
        let (said, ended) = run(&mut command, &mut shared.clone(), &closing);
        let text = String::from_utf8(shared.0.borrow().clone()).unwrap();
        (text, said, ended)
    }

    #[test]
    fn the_last_line_is_the_runners() {
        let (text, said, ended) = spoken(
            "printf 'test a ... ok\\n\\ntest result: ok. 1 passed\\n\\ntest b - c (line 3) ... FAILED\\n\\ntest result: FAILED. 1\\n\\n'; exit 1",
        );
        assert!(text.ends_with("FAILED\n\nskipped: x\ntest result: FAILED. 1\n\n"), "{text}");
        assert!(text.starts_with("test a ... ok\n\ntest result: ok. 1 passed\n\ntest b"), "{text}");
        assert_eq!(said, Said { passed: 1, failed: vec!["b - c (line 3)".into()] });
        assert!(ended.unwrap_err().contains("failed (exit status: 1)"));
    }

    #[test]
    fn flakes_are_told_by_name() {
        let mut rounds = Rounds::default();
        for failed in [true, false, false] {
            let failed: Vec<String> = failed.then(|| "now_and_then".to_owned()).into_iter().collect();
            let ended = if failed.is_empty() { Ok(()) } else { Err("failed".to_owned()) };
            rounds.add("host", &Said { passed: 3, failed }, &ended);
            rounds.add("plugins", &Said::default(), &Err("does not build".to_owned()));
            rounds.next();
        }
        let told = ["flake: host: now_and_then (1 of 3)", "fails always: plugins: does not build (3 of 3)"];
        assert_eq!(rounds.told(), told);
        assert!(!rounds.sound() && Rounds::default().sound());
    }
}
