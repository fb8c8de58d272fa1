//! S9: what root does where others than root may change the install folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::program::skip;
use crate::{At, STRANGER, is_root};

/// Whoever may change one of these has root run what they like: root changes nothing and runs nothing then, and whoever looks
/// is told.
#[test]
fn s9_root_trusts_no_install_folder_that_others_may_change() {
    if !is_root() {
        skip("only root can give files away");
        return;
    }
    let at = At::new(&["0.1.0", "0.2.0"]);
    at.is("0.2.0", &[]);
    let proof = at.0.path("proof");
    let note =
        format!(r#"{{"restart": ["touch", "{}"], "data_dir": "{}"}}"#, proof.display(), at.data().display());
    fs::write(at.root().join("install.json"), note).unwrap();
    let (status, out, said) = at.ran(&["verify"]);
    assert_eq!(status, Some(0), "{out}{said}");
    let refused = |part: &str, want: &str| {
        for command in [&["rollback"][..], &["upgrade", "--allow-downgrade"], &["verify"], &["doctor"]] {
            let (status, out, said) = at.ran(command);
            assert!(matches!(status, Some(1 | 3)), "{command:?}, {part}: {out}{said}");
            assert!(said.contains(want) && said.contains("root:root"), "{command:?}, {part}: {said}");
            assert!(!proof.exists(), "{command:?}, {part}: {said}");
        }
        assert_eq!(at.install().current().unwrap().to_string(), "0.2.0", "{part}");
    };
    for part in
        ["", "install.json", "releases", "releases/0.1.0/bin/hub-platform", "releases/0.2.0", "failed"]
    {
        let path = at.root().join(part);
        chown(&path, Some(STRANGER), None).unwrap();
        refused(
            part,
            &format!("{} belongs to user {STRANGER}", path.display()).replace("/ belongs", " belongs"),
        );
        chown(&path, Some(0), None).unwrap();
        let before = fs::metadata(&path).unwrap().mode();
        let open = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        open(before | 0o002);
        refused(part, "everybody may write to ");
        open(before);
    }
    // The service's user asks, or root does and goes on as that one: what root runs is judged the same.
    let note = fs::read_to_string(at.root().join("install.json")).unwrap();
    fs::write(at.root().join("install.json"), note.replace('{', "{\"unit\": \"hub-platform.service\", "))
        .unwrap();
    for path in [at.data(), at.root().join("bin")] {
        fs::create_dir_all(&path).unwrap();
        chown(&path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    refused("bin", &format!("/bin belongs to user {STRANGER}"));
    for path in [at.data(), at.root().join("bin")] {
        chown(&path, Some(0), Some(0)).unwrap();
    }
    // A link is as safe as what it leads to, and a folder like /tmp as what lies in it.
    let elsewhere = at.0.path("elsewhere");
    fs::rename(at.root().join("releases"), &elsewhere).unwrap();
    symlink(&elsewhere, at.root().join("releases")).unwrap();
    chown(&elsewhere, Some(STRANGER), None).unwrap();
    refused("releases, a link", &format!("/elsewhere belongs to user {STRANGER}"));
    chown(&elsewhere, Some(0), None).unwrap();
    fs::set_permissions(at.root(), fs::Permissions::from_mode(0o1777)).unwrap();
    // What is in nobody's hands but root's is worked with as before.
    let (_, _, said) = at.ran(&["rollback", "--health-timeout", "1"]);
    assert!(proof.exists(), "{said}");
}

/// A folder above that is somebody else's is told: its owner may exchange all of it.
#[test]
fn s9_a_folder_of_another_user_around_the_install_folder_is_told() {
    if !is_root() {
        skip("only root can give files away");
        return;
    }
    let at = At::new(&["0.1.0"]);
    at.is("0.1.0", &[]);
    let (_, _, said) = at.ran(&["verify"]);
    assert!(!said.contains("another install folder"), "{said}");
    chown(at.0.path(""), Some(STRANGER), None).unwrap();
    let (status, out, said) = at.ran(&["verify"]);
    assert_eq!(status, Some(0), "{out}{said}");
    let parent = fs::canonicalize(Path::new(&at.root()).parent().unwrap()).unwrap();
    assert!(said.contains(&format!("{} belongs to user {STRANGER}", parent.display())), "{said}");
}
