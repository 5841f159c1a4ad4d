//! One file a command.

mod check;
mod digest;
mod doctor;
mod explain;
mod extract;
mod init;
mod lineage;
mod models;
mod plan;
mod query;
mod run;
mod simulate;
mod sources;
mod sync;
mod tables;
mod test;

use crate::args::{Cli, Command};
use crate::context::Failure;
use cscopilot_diag::ExitClass;

/// Does what the command line says.
pub(crate) async fn dispatch(cli: Cli) -> Result<ExitClass, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Simulate(args) => simulate::run(&args, &global).await,
        Command::Check => check::run(&global),
        Command::Plan(args) => plan::run(&args, &global).await,
        Command::Run(args) => run::run(&args, &global).await,
        Command::Retry => run::retry(&global).await,
        Command::Extract(args) => extract::run(&args, &global).await,
        Command::Sources => sources::run(&global).await,
        Command::Doctor(args) => doctor::run(&args, &global).await,
        Command::Test(args) => test::run(&args, &global).await,
        Command::Query(args) => query::run(&args, &global).await,
        Command::Tables(args) => tables::run(&args, &global).await,
        Command::Lineage(args) => lineage::run(&args, &global).await,
        Command::Models(args) => models::run(&args, &global).await,
        Command::Explain(args) => explain::run(&args, &global).await,
        Command::Sync(args) => sync::run(&args, &global).await,
    }
}
