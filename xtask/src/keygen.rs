//! `cargo xtask keygen`: a key pair to sign releases with.

use std::io::IsTerminal;

use hub_codegen::pack::sign::{PASSWORD, keygen};

use crate::Outcome;
use crate::cli::KeygenArgs;

/// Runs `keygen`.
pub fn run(args: &KeygenArgs) -> Outcome {
    let password = match (args.no_password, std::env::var(PASSWORD)) {
        (true, _) => None,
        (false, Ok(password)) if !password.is_empty() => Some(password),
        (false, _) => match ask() {
            Some(password) => Some(password),
            None => {
                eprintln!(
                    "error: a secret key wants a password\n  help: set {PASSWORD}, or say --no-password where the file \
                     itself is kept safe"
                );
                return Outcome::Usage;
            }
        },
    };
    match keygen(&args.file, password) {
        Ok(public) => {
            println!("secret key: {} (keep it where nobody else can read it)", args.file.display());
            println!("public key: {} (goes into trusted-keys/ of each install folder)", public.display());
            Outcome::Done
        }
        Err(machine) => {
            eprintln!("error: {machine}");
            Outcome::Machine
        }
    }
}

/// A password typed twice; none where nobody can be asked, or nothing sensible was typed.
fn ask() -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let read = |prompt| rpassword::prompt_password(prompt).ok();
    let first = read("Password of the new secret key: ")?;
    let second = read("Once more: ")?;
    (!first.is_empty() && first == second).then_some(first)
}
