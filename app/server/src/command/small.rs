//! The commands that end by themselves.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::ProgressBar;
use malecon::domain::SyncOutcome;
use malecon::ports::SheetFormat;
use malecon::{Lack, ServiceError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Export, ExportFormat, print};
use crate::wiring::{in_memory, wire};
use crate::{Config, Failure};

pub(super) async fn migrate(config: &Config) -> Result<(), Failure> {
    let wired = wire(config).await?;
    let pending = wired.store.pending_migrations().await?;
    wired.migrate().await?;
    for name in &pending {
        print(&format!("applied {name}\n"))?;
    }
    print(&format!("the {} database is up to date\n", wired.store.kind()))
}

pub(super) async fn sync(config: &Config) -> Result<(), Failure> {
    let wired = wire(config).await?;
    wired.migrate().await?;
    // Shows itself on a terminal only.
    let bar = ProgressBar::new_spinner().with_message("mirroring countries");
    bar.enable_steady_tick(Duration::from_millis(100));
    let report = wired.services.countries.sync_unattended().await;
    bar.finish_and_clear();
    let report = report?;
    let mut text = format!(
        "{}: {} — {} seen, {} inserted, {} updated, {} unchanged, {} missing, {} rejected\n",
        report.source,
        report.outcome.name(),
        report.seen,
        report.inserted,
        report.updated,
        report.unchanged,
        report.missing.len(),
        report.rejected.len()
    );
    if !report.missing.is_empty() {
        text.push_str(&format!("missing at the source, kept: {}\n", report.missing.join(", ")));
    }
    for rejection in &report.rejected {
        text.push_str(&format!("rejected {}: {}\n", rejection.record, rejection.reason));
    }
    print(&text)?;
    match report.outcome {
        SyncOutcome::Succeeded => Ok(()),
        SyncOutcome::SourceDrifted | SyncOutcome::Failed => {
            Err(Failure::new(report.detail.unwrap_or_else(|| report.outcome.name().to_owned())))
        }
    }
}

pub(super) async fn export(config: &Config, export: &Export) -> Result<(), Failure> {
    let (filter, sort) = malecon_http::parse_filter(&export.query)
        .map_err(|detail| Failure::new(format!("--query: {detail}")))?;
    let is_csv = export.output.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
    let format = match export.format {
        Some(ExportFormat::Csv) => SheetFormat::Csv,
        None if is_csv => SheetFormat::Csv,
        Some(ExportFormat::Xlsx) | None => SheetFormat::Xlsx,
    };
    let to_stdout = export.output.as_os_str() == "-";
    if to_stdout && format == SheetFormat::Xlsx && std::io::stdout().is_terminal() {
        return Err(Failure::new(
            "a workbook is nothing for a terminal: name a file with --output, or --format csv",
        ));
    }
    let wired = wire(config).await?;
    wired.migrate().await?;
    wired.services.countries.fill().await?;
    let bytes = wired.services.countries.export(&filter, &sort, format).await?;
    let written = if to_stdout {
        std::io::stdout().lock().write_all(&bytes)
    } else {
        std::fs::write(&export.output, &bytes)
    };
    written.map_err(|error| Failure::of(format!("can't write {}", export.output.display()), error))
}

pub(super) fn openapi(check: bool) -> Result<(), Failure> {
    let document = malecon_http::openapi_yaml(&in_memory()?);
    if !check {
        return print(&document);
    }
    let kept = std::fs::read_to_string("openapi.yaml")
        .map_err(|error| Failure::of("openapi.yaml can't be read", error))?;
    if kept == document {
        return print("openapi.yaml agrees with the code\n");
    }
    let line = kept.lines().zip(document.lines()).take_while(|(kept, made)| kept == made).count() + 1;
    Err(Failure::new(format!(
        "openapi.yaml differs from the code from line {line} on: run `malecon openapi > openapi.yaml`"
    )))
}

pub(super) async fn doctor(config: &Config) -> Result<(), Failure> {
    let mut ill = 0;
    let mut say = |name: &str, state: Result<String, String>| {
        let (mark, text) = match state {
            Ok(text) => ("ok  ", text),
            Err(text) => {
                ill += 1;
                ("FAIL", text)
            }
        };
        print(&format!("{mark} {name:<16} {text}\n"))
    };
    say("settings", Ok("make sense".to_owned()))?;
    let wired = match wire(config).await {
        Ok(wired) => wired,
        Err(failure) => {
            say("database", Err(failure.chain()))?;
            return Err(Failure::new("something is wrong"));
        }
    };
    let pending = wired.store.pending_migrations().await;
    say(
        "database",
        match &pending {
            Ok(pending) if pending.is_empty() => Ok(format!("{}, schema up to date", wired.store.kind())),
            Ok(pending) => Err(format!(
                "{}, {} migrations pending: run `malecon migrate`",
                wired.store.kind(),
                pending.len()
            )),
            Err(error) => Err(error.to_string()),
        },
    )?;
    if let Some(file) = wired.store.exposed_file() {
        let file = file.display();
        print(&format!("warn {:<16} others may read {file}: run `chmod 600 {file}*`\n", "permissions"))?;
    }
    // Redis connects in the background: give it a moment.
    let mut checks = wired.services.health.checks().await;
    for _ in 0..20 {
        if checks.iter().all(|check| check.up) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        checks = wired.services.health.checks().await;
    }
    for check in checks.iter().filter(|check| check.name != "database") {
        say(check.name, if check.up { Ok("answers".to_owned()) } else { Err("does not answer".to_owned()) })?;
    }
    if pending.is_ok_and(|pending| pending.is_empty()) {
        let held = wired.services.countries.held().await.map_err(|error| error.to_string());
        say(
            "countries",
            held.map(|held| {
                if held.version.number == 0 {
                    return "none yet; the first start fills the store".to_owned();
                }
                format!(
                    "{} held, source last agreed {}",
                    held.countries.len(),
                    held.version.checked_at.format("%F %T UTC")
                )
            }),
        )?;
    }
    let source = wired.source.fetch().await;
    say(
        "source",
        match source {
            Ok(batch) => {
                Ok(format!("{} answers with {} records", wired.source.source(), batch.records.len()))
            }
            Err(error) => {
                Err(format!("{}: {}", wired.source.source(), Failure::of("no countries", error).chain()))
            }
        },
    )?;
    let mail = wired.services.reports.check_unattended().await;
    say(
        "mail",
        match mail {
            Ok(due) => {
                let due = due.map(|due| due.format("%F %T UTC").to_string()).unwrap_or_default();
                Ok(format!("the server takes us; the next report is due on {due}"))
            }
            Err(ServiceError::Unavailable { lack: Lack::NotConfigured(_), .. }) => {
                Ok("no report is mailed: that needs SMTP_URL, MALECON_REPORT_FROM and MALECON_REPORT_TO"
                    .to_owned())
            }
            Err(error) => Err(Failure::of("no report can be mailed", error).chain()),
        },
    )?;
    if ill > 0 { Err(Failure::new("something is wrong")) } else { Ok(()) }
}

pub(super) async fn healthcheck(config: &Config, ready: bool) -> Result<(), Failure> {
    let path = if ready { "/health/ready" } else { "/health/live" };
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = vec![];
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(3), ask)
        .await
        .map_err(|_| Failure::new(format!("{address} does not answer")))?
        .map_err(|error| Failure::of(format!("{address} does not answer"), error))?;
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        let what = if ready { "ready" } else { "healthy" };
        Err(Failure::new(format!("{address} is not {what}")))
    }
}
