//! Tells the tests which servers there are, and what they may do: a test whose server is missing is ignored, and counted so.

use std::process::Command;

fn main() {
    println!("cargo:rustc-check-cfg=cfg(postgres)");
    println!("cargo:rustc-check-cfg=cfg(redis)");
    for (variable, name) in [("TEST_DATABASE_URL", "postgres"), ("TEST_REDIS_URL", "redis")] {
        println!("cargo:rerun-if-env-changed={variable}");
        #[expect(clippy::disallowed_methods, reason = "a build script has no other settings")]
        let value = std::env::var(variable).unwrap_or_default();
        if !value.is_empty() {
            println!("cargo:rustc-cfg={name}");
        }
        println!("cargo:rustc-env={variable}={value}");
    }
    println!("cargo:rustc-check-cfg=cfg(redis_server)");
    if run(Command::new("redis-server").arg("--version")) {
        println!("cargo:rustc-cfg=redis_server");
    }
    println!("cargo:rustc-check-cfg=cfg(tmpfs)");
    if mounts() {
        println!("cargo:rustc-cfg=tmpfs");
    }
}

/// Whether a small file system can be mounted, for disks that are full.
fn mounts() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a build script has no other settings")]
    let folder = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("tmpfs");
    let is_mounted = std::fs::create_dir_all(&folder).is_ok()
        && run(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&folder));
    is_mounted && run(Command::new("umount").arg(&folder))
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|done| done.status.success())
}
