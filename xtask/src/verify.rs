//! `cargo xtask verify`: whether a tarball is what its list says, who signed it, and whether this checkout gives the same
//! bytes.

use std::fs::File;
use std::io;
use std::path::Path;

use hub_codegen::base::failure::Machine;
use hub_codegen::pack::compare::compare;
use hub_codegen::pack::{Sign, file_name};
use hub_codegen::pipeline::Repo;
use hub_release::archive::{Checked, check};
use hub_release::hash;
use hub_release::{Kind, Problem, Trusted};

use crate::Outcome;
use crate::build::run_signed;
use crate::cli::{BuildArgs, CheckArgs, MessageFormat, Profile, VerifyArgs};
use crate::report::Report;

/// Runs `verify`.
pub fn run(args: &VerifyArgs) -> Outcome {
    match verify(args) {
        Ok(outcome) => outcome,
        Err(problem) => {
            eprintln!("error: {problem}");
            match problem.kind {
                Kind::Refused => Outcome::Failed,
                Kind::Machine => Outcome::Machine,
            }
        }
    }
}

fn verify(args: &VerifyArgs) -> Result<Outcome, Problem> {
    let mut trusted = Trusted::none();
    for key in &args.key {
        trusted.add(key)?;
    }
    let checked = check(&args.tarball, &trusted, &mut |_| {})?;
    println!("{}", told(&args.tarball, &checked));
    if !args.rebuild {
        return Ok(Outcome::Done);
    }
    rebuild(args, &checked)
}

fn told(tarball: &Path, checked: &Checked) -> String {
    let (manifest, mib) = (&checked.manifest, checked.manifest.size() as f64 / (1024.0 * 1024.0));
    let signed = match (&checked.signed_by, &checked.signature) {
        (Some(key), _) => format!("signed with {key}"),
        (None, Some(_)) => "signed; name the public key with --key to check by whom".to_string(),
        (None, None) => "not signed".to_string(),
    };
    format!(
        "{}: release {}, {} files, {mib:.1} MiB unpacked, each as RELEASE.json says\n{signed}",
        tarball.display(),
        manifest.version,
        manifest.files.len()
    )
}

/// The signature that the tarball has already: whoever verifies has no secret key.
struct Given<'a>(&'a [u8]);

impl Sign for Given<'_> {
    fn id(&self) -> String {
        hash::of_bytes(self.0)
    }

    fn sign(&self, _version: &str, _release_json: &[u8]) -> Result<Vec<u8>, Machine> {
        Ok(self.0.to_vec())
    }
}

/// Builds the release again, with its version and its signature, and compares the two tarballs.
fn rebuild(args: &VerifyArgs, first: &Checked) -> Result<Outcome, Problem> {
    let repo = Repo::find();
    let version = first.manifest.version.to_string();
    let out = repo.target.join("platform/verify");
    let build = BuildArgs {
        check: CheckArgs {
            plugins: args.plugins.clone(),
            deny_warnings: false,
            message_format: MessageFormat::Human,
        },
        version: Some(version.clone()),
        out: Some(out.clone()),
        profile: Profile::Release,
        locked: true,
        lock: None,
        image: false,
        chart: false,
        keep_going: false,
        offline: false,
        sign: None,
    };
    let given = first.signature.as_deref().map(Given);
    let sign = given.as_ref().map(|given| given as &dyn Sign);
    let outcome = run_signed(&build, sign, Report::new(&build.check));
    if outcome != Outcome::Done {
        return Ok(outcome);
    }
    let path = out.join(file_name(&version));
    let sha256 = |path: &Path| {
        let hashed = File::open(path).and_then(|mut file| hash::copy(&mut file, &mut io::sink()));
        hashed.map(|(_, sha256)| sha256).map_err(|error| Problem::io("read", path, &error))
    };
    if sha256(&args.tarball)? == sha256(&path)? {
        println!("built again from {}: the same bytes", repo.root.display());
        return Ok(Outcome::Done);
    }
    let again = check(&path, &Trusted::none(), &mut |_| {})?;
    let told = compare(first, &again, [&args.tarball, &path])
        .map_err(|error| Problem::io("compare with", &args.tarball, &error))?;
    let files = match told.len() {
        0 => "no file differs, only the archive around them".to_string(),
        1 => "1 difference".to_string(),
        more => format!("{more} differences"),
    };
    eprintln!("error: built again from {}, the release has other bytes: {files}", repo.root.display());
    told.iter().for_each(|line| eprintln!("  {line}"));
    eprintln!(
        "  help: check out the commit that the release was built from, with the Rust toolchain that its RELEASE.json names"
    );
    Ok(Outcome::Failed)
}
