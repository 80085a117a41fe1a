//! The Debian package: what lies in it, and who may read its settings.

use std::path::Path;
use std::process::Command;

use forewarn_tests::peers::program;

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_debian_package_has_the_program_a_hardened_unit_and_private_settings() {
    let Some(dpkg) = program("dpkg-deb") else { return };
    let folder = tempfile::tempdir().expect("a folder for the package");
    // Any file will do for the program: that of a build with debug information is large.
    let stand_in = folder.path().join("forewarn");
    std::fs::write(&stand_in, "#!/bin/sh\n").expect("a program");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let out = folder.path().join("out");
    run(Command::new(root.join("packaging/deb.sh")).arg(&stand_in).arg(&out));
    let package =
        std::fs::read_dir(&out).expect("the folder").next().expect("a package").expect("a file").path();

    let contents = run(Command::new(&dpkg).arg("--contents").arg(&package));
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/forewarn"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/forewarn.service"),
        ("-rw-r----- root/root", "./etc/forewarn/forewarn.yaml"),
    ] {
        let line = contents.lines().find(|line| line.ends_with(path));
        assert!(line.is_some_and(|line| line.starts_with(mode)), "{path}: {contents}");
    }
    let control = folder.path().join("control");
    run(Command::new(&dpkg).arg("--control").arg(&package).arg(&control));
    let text = |name: &str| std::fs::read_to_string(control.join(name)).expect("a file of the package");
    assert_eq!(text("conffiles"), "/etc/forewarn/forewarn.yaml\n");
    assert!(text("control").contains(&format!("Version: {}\n", env!("CARGO_PKG_VERSION"))));
    assert!(text("postinst").contains("adduser --system"));
    let unit = std::fs::read_to_string(root.join("packaging/forewarn.service")).expect("the unit");
    for line in [
        "User=forewarn",
        "UMask=0077",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}
