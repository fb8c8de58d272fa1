//! Says what was found, for people on standard error or for programs on standard output, and settles the exit code.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use hub_codegen::base::failure::{Finding, Machine};
use hub_codegen::pack::Packed;
use hub_codegen::pack::inventory::Change;
use hub_codegen::report::{
    Also, Counts, Finished, Status, Style, Trouble, diagnostic_line, finished_line, human, machine,
    machine_line, more, sarif, usage_line,
};
use hub_manifest::diagnostic::Level;

use crate::Outcome;
use crate::cli::{CheckArgs, MessageFormat};

/// What one command has to say.
pub struct Report {
    format: MessageFormat,
    deny_warnings: bool,
    findings: Vec<Finding>,
    artifact: Option<(PathBuf, String)>,
    also: Vec<Also>,
    style: Style,
}

impl Report {
    /// An empty report in the format that the command line asks for.
    pub fn new(args: &CheckArgs) -> Report {
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let style = Style { color, ..Style::plain(current()) };
        Report {
            format: args.message_format,
            deny_warnings: args.deny_warnings,
            findings: Vec::new(),
            artifact: None,
            also: Vec::new(),
            style,
        }
    }

    /// Takes findings in. `--deny-warnings` makes errors of warnings.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for mut finding in findings {
            if self.deny_warnings {
                finding.diagnostic.level = Level::Error;
            }
            if self.format == MessageFormat::Json {
                println!("{}", diagnostic_line(&finding.diagnostic, &self.style.current));
            }
            self.findings.push(finding);
        }
    }

    /// How many findings there are so far.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.findings)
    }

    /// Whether the findings so far end the command. With `keep_going` errors of plugins that are left out do not.
    pub fn stops(&self, keep_going: bool) -> bool {
        let errors = self.findings.iter().filter(|finding| finding.is_error());
        if keep_going {
            errors.filter(|finding| finding.diagnostic.plugin.is_none()).count() > 0
        } else {
            errors.count() > 0
        }
    }

    /// Tells what the build changed in its lock: at once to programs, to people on standard error.
    pub fn changes(&self, changes: &[Change]) {
        if self.format == MessageFormat::Json {
            changes.iter().for_each(|change| println!("{}", change.json()));
        } else if !changes.is_empty() {
            eprintln!(
                "changed since the last build:\n{}",
                hub_codegen::pack::inventory::diff::text(changes).trim_end()
            );
        }
    }

    /// Names what was built.
    pub fn artifact(&mut self, path: &Path, sha256: &str) {
        self.artifact = Some((path.to_path_buf(), sha256.to_string()));
    }

    /// Names what was made of it besides.
    pub fn also(&mut self, kind: &'static str, packed: &Packed) {
        let path = std::path::absolute(&packed.path).unwrap_or_else(|_| packed.path.clone());
        self.also.push(Also { kind, path, sha256: packed.sha256.clone() });
    }

    /// Says everything, and `summary` last where there is no error.
    pub fn finish(self, summary: &str) -> Outcome {
        let counts = Counts::of(&self.findings);
        let ok = counts.errors == 0 || self.artifact.is_some();
        match self.format {
            MessageFormat::Json => {
                let artifact = self.artifact.as_ref();
                let path =
                    artifact.map(|(path, _)| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
                println!(
                    "{}",
                    finished_line(&Finished {
                        status: Status::of(ok, counts),
                        errors: counts.errors,
                        warnings: counts.warnings,
                        artifact: path.as_deref(),
                        sha256: artifact.map(|(_, sha256)| sha256.as_str()),
                        also: &self.also,
                    })
                );
            }
            MessageFormat::Sarif => println!("{}", sarif(&self.findings, None, &self.style.current)),
            MessageFormat::Human => {
                self.people();
                if ok && !summary.is_empty() {
                    eprintln!("{summary}");
                }
            }
        }
        if ok { Outcome::Done } else { Outcome::Failed }
    }

    /// The findings for people, and where to read on.
    fn people(&self) {
        if !self.findings.is_empty() {
            eprintln!("{}", human(&self.findings, &self.style).trim_end());
        }
        if let Some(more) = more(&self.findings) {
            eprintln!("{more}");
        }
    }

    /// Says what the machine lacks.
    pub fn machine(self, lack: &Machine) -> Outcome {
        match self.format {
            MessageFormat::Json => {
                println!("{}", machine_line(lack));
                self.failed();
            }
            MessageFormat::Sarif => self.document(Trouble::Machine(lack)),
            MessageFormat::Human => {
                self.people();
                eprintln!("{}", machine(lack, &self.style).trim_end());
            }
        }
        Outcome::Machine
    }

    /// Says what is wrong with the command line.
    pub fn usage(&self, message: &str) -> Outcome {
        match self.format {
            MessageFormat::Json => {
                println!("{}", usage_line(message));
                self.failed();
            }
            MessageFormat::Sarif => self.document(Trouble::Usage(message)),
            MessageFormat::Human => {}
        }
        eprintln!("error: {message}");
        Outcome::Usage
    }

    /// The last line of JSON where one more error than the findings ended the command.
    fn failed(&self) {
        let Counts { errors, warnings, .. } = Counts::of(&self.findings);
        println!("{}", finished_line(&Finished { errors: errors + 1, warnings, ..Finished::default() }));
    }

    fn document(&self, trouble: Trouble<'_>) {
        println!("{}", sarif(&self.findings, Some(trouble), &self.style.current));
    }
}

/// Says what `clap` has against the command line, in the format that the line asks for, as far as it can be told.
pub fn refused(error: &clap::Error) -> Outcome {
    let words: Vec<String> = std::env::args().collect();
    let asks = |format: &str| {
        words.iter().any(|word| *word == format!("--message-format={format}"))
            || words.windows(2).any(|pair| pair[0] == "--message-format" && pair[1] == format)
    };
    let message_format = match (asks("json"), asks("sarif")) {
        (true, _) => MessageFormat::Json,
        (_, true) => MessageFormat::Sarif,
        _ => MessageFormat::Human,
    };
    // Help and versions are asked for: they are no mistake.
    if message_format == MessageFormat::Human || !error.use_stderr() {
        error.exit();
    }
    Report::new(&CheckArgs { message_format, ..CheckArgs::default() }).usage(&sentence(&error.to_string()))
}

/// What `clap` says first: the mistake, and behind it what is possible. What follows the blank line is general advice.
fn sentence(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let text = lines.join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_string()
}

fn current() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// A path relative to the current folder where it lies below it.
pub fn shown(path: &Path) -> PathBuf {
    path.strip_prefix(current()).unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::sentence;
    use crate::cli::Cli;

    #[test]
    fn a_refused_command_line_says_what_is_possible() {
        let refused = |line: &str| {
            let error = Cli::try_parse_from(line.split(' ')).expect_err("no such command line");
            assert_eq!(error.exit_code(), 2);
            sentence(&error.to_string())
        };
        assert_eq!(
            refused("xtask diff --message-format sarif a.tar.gz b.tar.gz"),
            "invalid value 'sarif' for '--message-format <MESSAGE_FORMAT>' [possible values: human, json]"
        );
        assert_eq!(
            refused("xtask check --message-format xml"),
            "invalid value 'xml' for '--message-format <MESSAGE_FORMAT>' [possible values: human, json, sarif]"
        );
    }
}
