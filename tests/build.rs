//! Tells the tests which servers there are: a test whose server is missing is ignored, and counted so.

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
}
