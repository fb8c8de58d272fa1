//! Releases that were packed here, looked at by the code that installs and starts them: whole ones pass, no damaged or forged
//! one does.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use hub_codegen::base::digest::FileCache;
use hub_codegen::base::write::Source;
use hub_codegen::pack::inventory::Inventory;
use hub_codegen::pack::sign::{Signer, keygen};
use hub_codegen::pack::{self, Files, Job, Origin, Sign};
use hub_release::archive::{Checked, check};
use hub_release::install::Mark;
use hub_release::manifest::{RELEASE_JSON, SIGNATURE, seal};
use hub_release::{Install, Problem, Trusted, folder, hash};
use semver::Version;
use tar::{Builder, EntryType, Header};

struct World {
    dir: tempfile::TempDir,
    signer: Signer,
    public: PathBuf,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let public = keygen(&dir.path().join("vendor"), None).unwrap();
        World { signer: Signer::open(&dir.path().join("vendor")).unwrap(), dir, public }
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.dir.path().join(inner)
    }

    fn trusted(&self) -> Trusted {
        let mut trusted = Trusted::none();
        trusted.add(&self.public).unwrap();
        trusted
    }

    /// A release with a few files of different sizes; `signed` or not.
    fn pack(&self, version: &str, signed: bool) -> PathBuf {
        let file = |bytes: Vec<u8>, executable| pack::File { source: Source::Bytes(bytes), executable };
        let noise: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let files = Files::from([
            ("bin/hub-platform".to_string(), file(noise, true)),
            ("web/index.html".to_string(), file(format!("<html>{version}").into_bytes(), false)),
            (format!("web/assets/{}.js", "long-name-".repeat(15)), file(b"export {}".to_vec(), false)),
            ("plugins/crm/plugin.yaml".to_string(), file(b"name: crm\n".to_vec(), false)),
            ("empty".to_string(), file(Vec::new(), false)),
        ]);
        let job = Job {
            version,
            plugins: &[],
            inventory: &Inventory::default(),
            origin: &Origin::default(),
            files: &files,
            sign: signed.then_some(&self.signer as &dyn Sign),
            out: &self.path(if signed { "signed" } else { "plain" }),
            stamp: &self.path("stamp"),
        };
        pack::pack(&job, &mut FileCache::open(&self.path("cache"))).unwrap().path
    }

    fn unpacked(&self, version: &str) -> PathBuf {
        let into = self.path(&format!("unpacked-{version}"));
        let checked = check(&self.pack(version, true), &self.trusted(), &mut |_| {}).unwrap();
        checked.unpack(&into, &mut |_| {}).unwrap();
        into
    }
}

fn looked(tarball: &Path, trusted: &Trusted) -> Result<Checked, Problem> {
    check(tarball, trusted, &mut |_| {})
}

/// Name, kind, mode and contents of each entry.
type Entries = Vec<(String, EntryType, u32, Vec<u8>)>;

fn entries(tarball: &Path) -> Entries {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(tarball).unwrap()));
    let read = |entry: io::Result<tar::Entry<'_, _>>| {
        let mut entry: tar::Entry<'_, GzDecoder<File>> = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        (name, entry.header().entry_type(), entry.header().mode().unwrap(), bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

/// A tarball of these entries, as somebody else's tar would write it.
fn repack(entries: &Entries, to: &Path) {
    let mut builder = Builder::new(GzEncoder::new(File::create(to).unwrap(), Compression::fast()));
    for (name, kind, mode, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_size(bytes.len() as u64);
        if *kind == EntryType::Symlink {
            header.set_size(0);
            builder.append_link(&mut header, name, "/etc/passwd").unwrap();
        } else if name.contains("..") {
            // The builder itself refuses such names.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, bytes.as_slice()).unwrap();
        } else {
            builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
        }
    }
    builder.into_inner().unwrap().finish().unwrap().sync_all().unwrap();
}

/// Numbers that look random and are the same in every run.
fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn a_packed_release_is_checked_and_unpacked_as_it_was() {
    let world = World::new();
    let checked = looked(&world.pack("1.0.0", true), &world.trusted()).unwrap();
    assert_eq!(checked.signed_by.as_deref(), Some("vendor"));
    let into = world.path("out");
    checked.unpack(&into, &mut |_| {}).unwrap();
    let found = folder::check(&into, &world.trusted()).unwrap();
    assert_eq!(found.differences, []);
    assert_eq!(found.manifest, checked.manifest);
    assert_eq!(fs::metadata(into.join("bin/hub-platform")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(checked.unpack(&into, &mut |_| {}).unwrap_err().what.contains("cannot make"));
    // Unsigned ones are for installations without keys.
    let plain = world.pack("1.0.0", false);
    assert!(looked(&plain, &Trusted::none()).unwrap().signature.is_none());
    assert!(looked(&plain, &world.trusted()).unwrap_err().what.contains("it is not signed"));
}

#[test]
fn a_tarball_with_a_changed_byte_is_refused_or_still_the_same_release() {
    let world = World::new();
    let tarball = world.pack("1.0.0", true);
    let (bytes, good) = (fs::read(&tarball).unwrap(), looked(&tarball, &world.trusted()).unwrap().manifest);
    let (mut next, bad) = (numbers(1), world.path("bad.tar.gz"));
    for round in 0..300 {
        let mut changed = bytes.clone();
        match round % 3 {
            0 => changed.truncate(next(bytes.len() as u64) as usize),
            1 => changed.push(next(256) as u8),
            _ => changed[next(bytes.len() as u64) as usize] ^= 1 << next(8),
        }
        fs::write(&bad, &changed).unwrap();
        if let Ok(checked) = looked(&bad, &world.trusted()) {
            // A few bits of gzip's own header mean nothing.
            assert_eq!(checked.manifest, good, "round {round}");
            assert!(round % 3 == 2, "round {round}");
        }
    }
}

#[test]
fn what_a_release_may_not_hold_is_refused() {
    let world = World::new();
    let good = entries(&world.pack("1.0.0", false));
    let check = |name: &str, change: &dyn Fn(&mut Entries)| {
        let (mut changed, path) = (good.clone(), world.path("changed.tar.gz"));
        change(&mut changed);
        repack(&changed, &path);
        let what = looked(&path, &Trusted::none()).expect_err(name).what;
        what.split_once(": ").map_or(what.clone(), |(_, why)| why.to_string())
    };
    let file = |name: &str| (name.to_string(), EntryType::Regular, 0o644, b"x".to_vec());
    let told: Vec<String> = [
        check("escape", &|all| all.insert(1, file("releases/1.0.0/../../x"))),
        check("absolute", &|all| all.insert(1, file("x"))),
        check("other release", &|all| all.insert(1, file("releases/2.0.0/x"))),
        check("link", &|all| {
            all.insert(1, ("releases/1.0.0/x".to_string(), EntryType::Symlink, 0o777, vec![]))
        }),
        check("extra", &|all| all.insert(1, file("releases/1.0.0/x"))),
        check("empty folder", &|all| {
            all.insert(1, ("releases/1.0.0/x/".to_string(), EntryType::Directory, 0o755, vec![]))
        }),
        check("missing", &|all| all.retain(|entry| !entry.0.ends_with("empty"))),
        check("twice", &|all| all.insert(2, all[all.len() - 2].clone())),
        check("mode", &|all| {
            all.iter_mut().for_each(|entry| {
                if entry.0.ends_with("empty") {
                    entry.2 = 0o4755
                }
            })
        }),
        check("after the list", &|all| all.push(file("releases/1.0.0/zzz"))),
        check("no list", &|all| all.retain(|entry| !entry.0.ends_with(RELEASE_JSON))),
        check("nothing", &Vec::clear),
    ]
    .into();
    insta::assert_snapshot!(told.join("\n"), @r"
    it holds a path outside of its release: `releases/1.0.0/../../x`
    it holds a path outside of its release: `x`
    it holds a path outside of its release: `releases/2.0.0/x`
    it holds something that is neither a folder nor a file: `releases/1.0.0/x`
    x is not part of the release
    it holds an empty folder: `x`
    empty is missing
    it holds a file twice: `releases/1.0.0/web/index.html`
    empty has the mode 4755 instead of 0644
    something follows its list: `releases/1.0.0/zzz`
    it holds no RELEASE.json
    it holds no RELEASE.json
    ");
}

#[test]
fn a_forged_release_is_refused_where_a_key_is_trusted() {
    let world = World::new();
    let mut forged = entries(&world.pack("1.0.0", true));
    let evil = b"<html>evil".to_vec();
    let page = forged.iter_mut().find(|entry| entry.0.ends_with("index.html")).unwrap();
    let old = hash::of_bytes(&page.3);
    page.3.clone_from(&evil);
    let list = forged.last_mut().unwrap();
    let text = String::from_utf8(list.3.clone()).unwrap().replace(&old, &hash::of_bytes(&evil));
    let text = text.replace("\"size\": 11", &format!("\"size\": {}", evil.len()));
    let (body, _) = text.rsplit_once(",\n  \"digest\"").unwrap();
    list.3 = seal(format!("{body}\n}}\n")).into_bytes();
    let path = world.path("forged.tar.gz");
    repack(&forged, &path);
    // It fits in itself: only the signature tells.
    assert!(looked(&path, &Trusted::none()).is_ok());
    assert!(
        looked(&path, &world.trusted()).unwrap_err().what.ends_with("it was changed after it was signed")
    );
    forged.retain(|entry| !entry.0.ends_with(SIGNATURE));
    repack(&forged, &path);
    assert!(looked(&path, &world.trusted()).unwrap_err().what.contains("it is not signed"));
}

#[test]
fn every_byte_of_list_and_signature_counts() {
    let world = World::new();
    let unpacked = world.unpacked("1.0.0");
    let accepted = |name: &str, bytes: &[u8]| {
        fs::write(unpacked.join(name), bytes).unwrap();
        folder::check(&unpacked, &world.trusted()).is_ok()
    };
    for name in [RELEASE_JSON, SIGNATURE] {
        let good = fs::read(unpacked.join(name)).unwrap();
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!accepted(name, &changed), "byte {at} of {name}");
        }
        assert!(accepted(name, &good));
    }
}

#[test]
fn a_thousand_damaged_releases_are_noticed() {
    let world = World::new();
    let unpacked = world.unpacked("1.0.0");
    let good: BTreeMap<PathBuf, Vec<u8>> = walkdir::WalkDir::new(&unpacked)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_path_buf(), fs::read(entry.path()).unwrap()))
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    let (paths, mut next) = (good.keys().collect::<Vec<_>>(), numbers(7));
    for round in 0..1000 {
        let path = paths[next(paths.len() as u64) as usize];
        let mut bytes = good[path].clone();
        let at = next(bytes.len() as u64) as usize;
        if round % 2 == 0 {
            bytes.truncate(at)
        } else {
            bytes[at] ^= 1 << next(8)
        }
        fs::write(path, &bytes).unwrap();
        // Without keys too, as the list has its own digest. A signature that nobody looks at is the exception.
        let trusted = if path.ends_with(SIGNATURE) { world.trusted() } else { Trusted::none() };
        let noticed = match folder::check(&unpacked, &trusted) {
            Ok(found) => found.damage().is_some(),
            Err(_) => true,
        };
        assert!(noticed, "round {round}: {} at {at}", path.display());
        fs::write(path, &good[path]).unwrap();
    }
    assert_eq!(folder::check(&unpacked, &world.trusted()).unwrap().damage(), None);
}

/// S9: where a folder is read as it is, a file more is damage; elsewhere, and another mode, it is only told.
#[test]
fn s9_a_file_more_is_damage_where_folders_are_read_whole() {
    let world = World::new();
    let unpacked = world.unpacked("1.0.0");
    let damage = || folder::check(&unpacked, &world.trusted()).unwrap().damage();
    fs::write(unpacked.join("bin/note.txt~"), "x").unwrap();
    fs::write(unpacked.join("notes"), "x").unwrap();
    fs::set_permissions(unpacked.join("empty"), fs::Permissions::from_mode(0o640)).unwrap();
    let found = folder::check(&unpacked, &world.trusted()).unwrap();
    let told: Vec<String> = found.differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "bin/note.txt~ is not part of the release",
            "empty has the mode 0640 instead of 0644",
            "notes is not part of the release",
        ]
    );
    assert_eq!(found.damage(), None);
    for path in
        ["web/evil.js", "plugins/crm/migrations/0002_evil.sql", "plugins/x.pyc", "dbt/models/evil.sql"]
    {
        let file = unpacked.join(path);
        let above = file.parent().unwrap();
        let new = !above.is_dir();
        fs::create_dir_all(above).unwrap();
        fs::write(&file, "x").unwrap();
        assert_eq!(damage(), Some(format!("{path} is not part of the release")));
        fs::remove_file(&file).unwrap();
        if new {
            fs::remove_dir(above).unwrap();
        }
        symlink("/etc", &file)
            .or_else(|_| fs::create_dir_all(above).and_then(|()| symlink("/etc", &file)))
            .unwrap();
        assert_eq!(damage(), Some(format!("{path} is not part of the release")));
        fs::remove_file(&file).unwrap();
    }
    symlink("/etc", unpacked.join("dbt/all")).or_else(|_| symlink("/etc", unpacked.join("dbt"))).unwrap();
    assert!(damage().unwrap().starts_with("dbt"));
    let _ = fs::remove_dir_all(unpacked.join("dbt"));
    let _ = fs::remove_file(unpacked.join("dbt"));
    fs::set_permissions(unpacked.join("bin/hub-platform"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(unpacked.join("empty")).unwrap();
    symlink("web/index.html", unpacked.join("empty")).unwrap();
    assert_eq!(
        damage().unwrap(),
        "bin/hub-platform has the mode 0644 instead of 0755; empty is not an ordinary file"
    );
}

/// S10: nothing that a tarball says about itself makes reading it long or large.
#[test]
fn s10_a_tarball_that_is_made_to_fill_memory_is_refused_at_once() {
    let world = World::new();
    let path = world.path("hostile.tar.gz");
    let why = |fill: &dyn Fn(&mut Builder<GzEncoder<File>>)| {
        let mut builder = Builder::new(GzEncoder::new(File::create(&path).unwrap(), Compression::fast()));
        fill(&mut builder);
        builder.into_inner().unwrap().finish().unwrap();
        let begun = std::time::Instant::now();
        let why = looked(&path, &Trusted::none()).unwrap_err().what;
        assert!(begun.elapsed().as_secs() < 10, "{:?}: {why}", begun.elapsed());
        why
    };
    let header = |kind: EntryType, size: u64| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        header
    };
    // A name of a gigabyte, of GNU's and of pax's kind.
    for kind in [EntryType::GNULongName, EntryType::XHeader] {
        let told = why(&|builder| {
            builder.append(&header(kind, 1 << 30), io::repeat(b'a').take(64 << 20)).unwrap();
        });
        assert!(told.contains("a name of 1073741824 bytes"), "{told}");
    }
    // Names without files, one after the other.
    let told = why(&|builder| {
        for _ in 0..2 {
            builder.append(&header(EntryType::GNULongName, 2), &b"a\0"[..]).unwrap();
        }
    });
    assert!(told.contains("two names for one file"), "{told}");
    // Zeros that take no room.
    let told = why(&|builder| {
        let mut header = header(EntryType::Regular, 4 << 30);
        builder.append_data(&mut header, "releases/1.0.0/zeros", io::repeat(0).take(1 << 20)).unwrap();
    });
    assert!(told.contains("more bytes would come out of it"), "{told}");
    // A path of a thousand folders.
    let told = why(&|builder| {
        let name = format!("releases/1.0.0/{}x", "d/".repeat(1000));
        builder.append_data(&mut header(EntryType::Regular, 0), name, io::empty()).unwrap();
    });
    assert!(told.contains("lies deeper than 32 folders"), "{told}");
    // A length that its header does not have.
    let told = why(&|builder| {
        let record = b"21 size=999999999999\n";
        builder.append(&header(EntryType::XHeader, record.len() as u64), &record[..]).unwrap();
    });
    assert!(told.contains("`size`"), "{told}");
    // Many files in many folders: each is looked at once.
    let told = why(&|builder| {
        for number in 0..60_000u32 {
            let name = format!("releases/1.0.0/{}/{number}", number / 2);
            if number % 2 == 0 {
                let folder = format!("releases/1.0.0/{}/", number / 2);
                builder.append_data(&mut header(EntryType::Directory, 0), folder, io::empty()).unwrap();
            }
            builder.append_data(&mut header(EntryType::Regular, 0), name, io::empty()).unwrap();
        }
    });
    assert!(told.contains("it holds no RELEASE.json"), "{told}");
    // And more headers than any release has.
    let told = why(&|builder| {
        for _ in 0..400_001 {
            builder
                .append_data(&mut header(EntryType::Directory, 0), "releases/1.0.0/", io::empty())
                .unwrap();
        }
    });
    assert!(told.contains("more than 400000 entries"), "{told}");
}

/// Another key is not damage: whoever is told so would unpack the same tarball again.
#[test]
fn a_release_of_another_key_is_not_trusted_rather_than_damaged() {
    use hub_release::install::Because;
    let world = World::new();
    let other = keygen(&world.path("other"), None).unwrap();
    let install = Install::at(world.path("opt"));
    let lock = install.lock().unwrap();
    let checked = looked(&world.pack("1.0.0", true), &world.trusted()).unwrap();
    let folder = lock.unpack(&checked, &mut |_| {}).unwrap();
    lock.place(&folder, &checked.manifest.version).unwrap();
    fs::create_dir_all(install.keys_dir()).unwrap();
    fs::copy(&other, install.keys_dir().join("other.pub")).unwrap();
    let because = || {
        let mut found = None;
        assert!(install.choose(&mut |skipped| found = Some(skipped.because)).unwrap().is_none());
        found.unwrap()
    };
    assert_eq!(because(), Because::Untrusted);
    fs::write(install.release(&Version::new(1, 0, 0)).join(RELEASE_JSON), "{}").unwrap();
    assert_eq!(because(), Because::Damaged);
}

#[test]
fn an_install_folder_starts_the_highest_whole_release_that_is_not_marked() {
    let world = World::new();
    let install = Install::at(world.path("opt"));
    let lock = install.lock().unwrap();
    assert!(install.lock().unwrap_err().what.contains("another command is changing"));
    fs::create_dir_all(install.keys_dir()).unwrap();
    fs::copy(&world.public, install.keys_dir().join("vendor.pub")).unwrap();
    for version in ["0.9.0", "0.10.0", "0.10.0-rc.1", "0.2.0"] {
        let checked = looked(&world.pack(version, true), &world.trusted()).unwrap();
        let folder = lock.unpack(&checked, &mut |_| {}).unwrap();
        lock.place(&folder, &checked.manifest.version).unwrap();
    }
    fs::create_dir_all(install.root().join("releases/.0.11.0.new.1/bin")).unwrap();
    fs::create_dir_all(install.root().join("releases/notes")).unwrap();
    let chosen = || {
        let mut skipped = Vec::new();
        let found = install.choose(&mut |one| skipped.push(format!("{}: {}", one.version, one.why))).unwrap();
        (found.map(|(found, _)| found.version.to_string()), skipped)
    };
    assert_eq!(chosen(), (Some("0.10.0".to_string()), vec![]));

    let version = Version::new(0, 10, 0);
    lock.mark(&Mark {
        version: version.clone(),
        at: "2026-01-01T00:00:00Z".into(),
        why: "it did not answer".into(),
    })
    .unwrap();
    assert_eq!(
        chosen(),
        (Some("0.10.0-rc.1".to_string()), vec!["0.10.0: it is marked: it did not answer".to_string()])
    );
    lock.unmark(&version).unwrap();
    fs::write(install.release(&version).join("web/index.html"), "<html>0.10.1").unwrap();
    let (found, skipped) = chosen();
    assert_eq!(found.as_deref(), Some("0.10.0-rc.1"));
    assert!(skipped[0].starts_with("0.10.0: web/index.html has other bytes"), "{skipped:?}");

    assert_eq!(install.current(), None);
    install.switch(&Version::new(0, 2, 0)).unwrap();
    assert_eq!(install.current(), Some(Version::new(0, 2, 0)));
    lock.sweep().unwrap();
    assert!(!install.root().join("releases/.0.11.0.new.1").exists());
    // The current one stays, however old.
    assert_eq!(lock.prune(2).unwrap(), [Version::new(0, 9, 0)]);
    let left: Vec<String> =
        install.releases().unwrap().iter().map(|found| found.version.to_string()).collect();
    assert_eq!(left, ["0.10.0", "0.10.0-rc.1", "0.2.0"]);
    // A list that is only half there, as when tar was killed.
    let list = install.release(&version).join(RELEASE_JSON);
    File::options().write(true).open(&list).unwrap().set_len(100).unwrap();
    assert!(chosen().1[0].contains("RELEASE.json cannot be trusted"));
    fs::remove_file(&list).unwrap();
    assert!(chosen().1[0].contains("it was not unpacked to its end"));
}
