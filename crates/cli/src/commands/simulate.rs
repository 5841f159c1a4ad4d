use crate::args::{CrmArgs, Format, Global, ServeArgs, SimulateArgs, SimulateCommand};
use crate::context::Failure;
use crate::render::{seconds, thousands};
use cscopilot_diag::clock::Stopwatch;
use cscopilot_diag::{Diagnostic, ExitClass, Secret};
use cscopilot_simulate::Config;
use cscopilot_simulate::fakes::{Fakes, FakesConfig, VENDORS};
use cscopilot_simulate::serve::{ServeConfig, serve};

/// `cscopilot simulate`
pub(crate) async fn run(args: &SimulateArgs, global: &Global) -> Result<ExitClass, Failure> {
    match &args.serve {
        Some(SimulateCommand::Serve(args)) => return serve_vendors(args).await,
        Some(SimulateCommand::Crm(args)) => return serve_crm(args, global).await,
        None => {}
    }
    let config = Config {
        accounts: args.accounts,
        months: args.months,
        events_per_day: args.events_per_day,
        seed: args.seed,
        as_of: args.as_of,
        out: global.project.join(&args.out),
    };
    let watch = Stopwatch::start();
    let summary = tokio::task::spawn_blocking(move || cscopilot_simulate::simulate(&config))
        .await
        .map_err(|e| Failure::failed(Diagnostic::error("CLI050", format!("the simulation ended without a result: {e}"))))??;
    if global.format == Format::Json {
        let streams: Vec<_> = summary
            .streams
            .iter()
            .map(|s| serde_json::json!({"vendor": s.vendor, "stream": s.stream, "lines": s.counts.lines, "malformed": s.counts.malformed}))
            .collect();
        println!(
            "{}",
            serde_json::json!({"out": summary.out, "customers": summary.customers, "active": summary.active, "churned": summary.churned, "streams": streams})
        );
        return Ok(ExitClass::Done);
    }
    println!(
        "{}: {} customers ever, {} active on {}, {} left; written in {}",
        summary.out.display(),
        thousands(summary.customers as u64),
        thousands(summary.active as u64),
        args.as_of,
        thousands(summary.churned as u64),
        seconds(watch.elapsed().as_secs_f64())
    );
    for stream in &summary.streams {
        println!("  {:12} {:16} {:>12} lines", stream.vendor, stream.stream, thousands(stream.counts.lines));
    }
    Ok(ExitClass::Done)
}

async fn serve_vendors(args: &ServeArgs) -> Result<ExitClass, Failure> {
    let config = FakesConfig {
        port: args.port,
        accounts: args.accounts,
        months: args.months,
        events_per_day: args.events_per_day,
        seed: args.seed,
        rate_limited: args.rate_limited,
        rotate_refresh_tokens: args.rotate_refresh_tokens,
        bench_records: args.bench_records,
        ..FakesConfig::default()
    };
    let fakes = Fakes::start(config).await?;
    eprintln!("fakes of {} answer at http://{}/<vendor>", VENDORS[..8].join(", "), fakes.addr());
    let _asked = tokio::signal::ctrl_c().await;
    fakes.stop().await;
    Ok(ExitClass::Done)
}

async fn serve_crm(args: &CrmArgs, global: &Global) -> Result<ExitClass, Failure> {
    let config = ServeConfig {
        port: args.port,
        ..ServeConfig::new(global.project.join(&args.data), global.project.join(&args.state), Secret::new(args.token.clone()))
    };
    let server = serve(config).await?;
    eprintln!("a fake Salesforce answers at {}; it keeps what it is sent in {}", server.url(), args.state.display());
    tokio::select! {
        () = server.wait() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitClass::Done)
}
