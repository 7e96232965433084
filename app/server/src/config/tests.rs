//! Settings, as an operator gives them.

use std::collections::BTreeSet;

use clap::{CommandFactory, FromArgMatches};

use super::*;
use crate::command::Cli;
use crate::listen::Limits;

fn parse(args: &[&str]) -> Result<Config, String> {
    let matches =
        Cli::command().try_get_matches_from([&["malecon"], args].concat()).map_err(|e| e.to_string())?;
    let cli = Cli::from_arg_matches(&matches).map_err(|e| e.to_string())?;
    cli.config.resolve().map_err(|e| e.chain())
}

#[test]
fn demo_is_refused_off_loopback() {
    assert!(parse(&["--demo"]).unwrap().demo);
    assert!(parse(&["--demo", "--listen", "[::1]:80"]).is_ok());
    assert!(parse(&["--demo", "--listen", "0.0.0.0:80"]).unwrap_err().contains("loopback"));
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let file = std::env::temp_dir().join(format!("malecon-secret-{}", std::process::id()));
    std::fs::write(&file, "s3cret\n").unwrap();
    let path = file.to_str().unwrap();
    let config = parse(&["--metrics-token-file", path, "--database-url-file", path]).unwrap();
    assert_eq!((config.metrics_token.as_deref(), config.database_url.as_str()), (Some("s3cret"), "s3cret"));
    let both = parse(&["--metrics-token-file", path, "--metrics-token", "x"]).unwrap_err();
    assert!(both.contains("MALECON_METRICS_TOKEN and MALECON_METRICS_TOKEN_FILE"), "{both}");
    std::fs::remove_file(&file).unwrap();
    assert!(parse(&["--metrics-token-file", path]).unwrap_err().contains("can't be read"));
}

#[test]
fn nonsense_is_refused_with_a_hint() {
    assert!(parse(&["--sync-every", "soon"]).unwrap_err().contains("30s, 5m or 1h"));
    assert!(parse(&["--sync-every", "0s"]).unwrap_err().contains("MALECON_SYNC_EVERY"));
    assert!(parse(&["--cors-origins", "https://a.example/"]).unwrap_err().contains("https://a.example?"));
    assert!(parse(&["--cors-origins", "*"]).is_err());
    assert!(parse(&["--retries", "11"]).is_err());
    assert!(parse(&["--restcountries-url", "not a url"]).is_err());
    assert!(parse(&["--wikidata-contact", "ops (at) example"]).unwrap_err().contains("ops@example.com"));
    assert!(parse(&["--wikidata-contact", "a\nb"]).is_err() && parse(&["--wikidata-contact", ""]).is_err());
    let origins = parse(&["--cors-origins", "https://a.example,http://b.example:81"]).unwrap().cors_origins;
    assert_eq!(origins, ["https://a.example", "http://b.example:81"]);
}

#[test]
fn sizes_have_units() {
    let size = |text: &str| parse(&[&format!("--max-upload={text}")]).map(|config| config.max_upload);
    assert_eq!(parse(&[]).unwrap().max_upload, 25 * 1024 * 1024);
    for (text, bytes) in
        [("7", 7), ("512 B", 512), ("500KiB", 512_000), ("1gb", 1_000_000_000), ("2MB", 2_000_000)]
    {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "MiB", "0", "-1", "1.5MiB", "10 parsecs", "99999999999GiB"] {
        assert!(size(text).unwrap_err().contains("25MiB"), "{text}");
    }
}

#[test]
fn what_a_user_may_have_has_limits_or_none() {
    let config = parse(&[]).unwrap();
    let limits = (config.max_tasks, config.max_open_runs, config.max_kept);
    assert_eq!(limits, (1_000, 10_000, 256 * 1024 * 1024));
    let config = parse(&["--max-tasks", "0", "--max-open-runs", "0", "--max-kept", "0"]).unwrap();
    assert_eq!((config.max_tasks, config.max_open_runs, config.max_kept), (0, 0, 0));
    assert!(parse(&["--max-kept", "some"]).unwrap_err().contains("25MiB"));
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest_name() {
    let names = |name: &str| check_names(&Cli::command(), std::iter::once(name.to_owned()));
    assert!(names("MALECON_LISTEN").is_ok() && names("PATH").is_ok());
    let refused = names("MALECON_LISTN").unwrap_err().chain();
    assert_eq!(refused, "there is no setting MALECON_LISTN; did you mean MALECON_LISTEN?");
}

#[test]
fn settings_are_shown_with_their_origin_and_without_secrets() {
    let args = ["malecon", "--metrics-token", "s3cret", "--database-url", "postgres://ana:s3cret@db/m"];
    let args = [&args[..], &["--smtp-url", "smtps://ana:s3cret@mail"]].concat();
    let matches = Cli::command().try_get_matches_from(args).unwrap();
    let text = show(&Cli::command(), &matches, &BTreeSet::new());
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains("postgres://ana:****@db/m") && text.contains("smtps://ana:****@mail"), "{text}");
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("MALECON_METRICS_TOKEN ").ends_with("flag"));
    assert!(line("MALECON_LISTEN").contains("127.0.0.1:8000") && line("MALECON_LISTEN").ends_with("default"));
}

#[test]
fn no_part_of_a_url_tells_a_secret() {
    for (name, value, shown) in [
        (
            "DATABASE_URL",
            "postgres://ana:s3cret@db:5433/m?sslmode=require",
            "postgres://ana:****@db:5433/m?sslmode=require",
        ),
        (
            "DATABASE_URL",
            "postgres://db/m?user=ana&password=s3cret",
            "postgres://db/m?user=****&password=****",
        ),
        ("DATABASE_URL", "sqlite://malecon.db?mode=rwc", "sqlite://malecon.db?mode=rwc"),
        (
            "DATABASE_URL",
            "sqlite:///srv/m/malecon.db?mode=rwc&key=s3cret",
            "sqlite:///srv/m/malecon.db?mode=rwc&key=****",
        ),
        ("DATABASE_URL", "sqlite::memory:", "sqlite::memory:"),
        ("DATABASE_URL", "postgres://ana:s3cret@db:port/m", "****"),
        ("DATABASE_URL", "s3cret", "****"),
        ("REDIS_URL", "ana:s3cret@redis", "****"),
        ("REDIS_URL", "redis://:s3cret@redis:6379/1", "redis://:****@redis:6379/1"),
        ("REDIS_URL", "redis://s3cret@redis", "redis://****@redis"),
        ("SMTP_URL", "smtp://ana:s3cret@mail?tls=required", "smtp://ana:****@mail?tls=required"),
        ("FILES_URL", "http://a/b,http://u:s3cret@c/d", "http://a/b,http://u:****@c/d"),
        (
            "WORKERS_URL",
            "https://hooks.example/T024BE7LD/xoxb-s3cret2024secret9/do",
            "https://hooks.example/****/****/do",
        ),
        ("FILES_URL", "https://a.example/v3.1#s3cret", "https://a.example/v3.1#****"),
        ("FILES_URL", "https://a.example/?s3cretS3CRET0s3cret", "https://a.example/?****"),
        ("MALECON_LOG", "http://u:s3cret@a/", "http://u:****@a/"),
        ("TMDB_URL", "https://api.themoviedb.org/3", "https://api.themoviedb.org/3"),
        (
            "RESTCOUNTRIES_V5_URL",
            "https://api.restcountries.com/countries/v5",
            "https://api.restcountries.com/countries/v5",
        ),
        ("WIKIDATA_URL", "https://query.wikidata.org/sparql", "https://query.wikidata.org/sparql"),
        ("TMDB_TOKEN", "s3cret", "****"),
        ("TMDB_TOKEN", "", ""),
        ("MALECON_LISTEN", "127.0.0.1:8000", "127.0.0.1:8000"),
    ] {
        assert_eq!(show::mask(name, value), shown, "{name}={value}");
    }
}

#[test]
fn a_report_has_addresses_a_time_and_a_filter() {
    let config = parse(&[]).unwrap();
    assert_eq!((config.report_from, config.report_to), (None, vec![]));
    assert_eq!((config.report_at.to_string(), config.time_zone.name()), ("07:00".to_owned(), "UTC"));
    let flags = ["--report-from", "Malecón <r@example.com>", "--report-to", "a@example.com, b@example.com"];
    let more = [
        "--report-at",
        "18:30",
        "--time-zone",
        "Europe/Madrid",
        "--report-filter",
        "continent=europe&sort=-area",
    ];
    let config = parse(&[&flags[..], &more[..]].concat()).unwrap();
    assert_eq!(config.report_from.unwrap().to_string(), "Malecón <r@example.com>");
    assert_eq!(
        (config.report_at.to_string(), config.time_zone.name()),
        ("18:30".to_owned(), "Europe/Madrid")
    );
    assert_eq!(config.report_filter.filter.continent.as_deref(), Some("europe"));
    assert_eq!((config.report_filter.sort.len(), config.report_to.len()), (1, 2));
    for blank in ["--report-from", "--report-to", "--report-filter"] {
        assert!(parse(&[blank, ""]).is_ok(), "{blank}: what compose.yaml passes on when nothing is set");
    }
}

#[test]
fn a_report_that_makes_no_sense_is_refused_at_start() {
    let refused = |flags: &[&str]| parse(flags).unwrap_err();
    assert!(refused(&["--report-from", "ana"]).contains("ana@example.com"));
    assert!(refused(&["--report-to", "a@example.com;b@example.com"]).contains("no mail address"));
    assert!(refused(&["--report-to", "a@example.com\r\nBcc: eve@example.com"]).contains("no mail address"));
    assert!(refused(&["--report-at", "25:00"]).contains("07:00"));
    assert!(refused(&["--time-zone", "Mars/Olympus"]).contains("Europe/Madrid"));
    assert!(refused(&["--report-filter", "contnent=europe"]).contains("did you mean continent?"));
    assert!(refused(&["--report-to", "a@example.com", "--keep-runs", "1h"]).contains("MALECON_KEEP_RUNS"));
    assert!(parse(&["--keep-runs", "1h"]).is_ok());
}

#[test]
fn connections_have_caps_proxies_and_an_end() {
    let connections = |flags: &[&str]| parse(flags).map(|config| config.connections);
    let defaults = connections(&[]).unwrap();
    assert_eq!((defaults.max_connections, defaults.max_connections_per_address), (10_000, None));
    assert_eq!((defaults.drain, defaults.grace), (Duration::ZERO, Duration::from_secs(10)));
    assert!(defaults.trusted_proxies.is_empty());
    let flags = ["--max-connections", "50", "--max-connections-per-address", "5", "--drain", "15s"];
    let more = ["--grace", "1m", "--trusted-proxies", "10.0.0.0/8, ::1"];
    let told = connections(&[&flags[..], &more[..]].concat()).unwrap();
    assert_eq!((told.max_connections, told.max_connections_per_address), (50, Some(5)));
    assert_eq!((told.drain, told.grace), (Duration::from_secs(15), Duration::from_secs(60)));
    assert!(told.trusted_proxies.contains("10.9.9.9".parse().unwrap()));
    for blank in ["--max-connections-per-address", "--trusted-proxies"] {
        assert!(parse(&[blank, ""]).is_ok(), "{blank}: what compose.yaml passes on when nothing is set");
    }
    let limits = |flags: &[&str], files| {
        let limits = Limits::of(&parse(flags).unwrap(), files);
        (limits.connections, limits.connections_per_address)
    };
    assert_eq!(limits(&["--workers", "16"], 1_000_000), (10_000, 5_000));
    assert_eq!(limits(&["--workers", "16"], 1_132), (1_000, 500), "files bound them");
    assert_eq!(limits(&flags, 1_000_000), (50, 5));
    assert!(parse(&["--max-connections", "0"]).is_err());
    assert!(parse(&["--max-connections-per-address", "0"]).unwrap_err().contains("from 1"));
    assert!(parse(&["--trusted-proxies", "proxy.internal"]).unwrap_err().contains("10.1.0.0/16"));
}
