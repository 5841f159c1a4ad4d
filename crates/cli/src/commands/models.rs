use crate::args::Global;
use crate::context::{Failure, lake, project};
use crate::render;
use cscopilot_diag::ExitClass;
use cscopilot_lake::{Params, TableName};

/// `cscopilot models`: each training, the newest first.
pub(crate) async fn run(global: &Global) -> Result<ExitClass, Failure> {
    let project = project(global)?;
    let lake = lake(&project).await?;
    if lake.table(&TableName::new("ops", "model_runs")).await?.is_none() {
        println!("no model was trained yet; `cscopilot run nightly` trains those that are due");
        return Ok(ExitClass::Done);
    }
    let sql = "SELECT model, version, as_of, estimator, promoted, round(auc, 3) AS auc, round(auc_low, 3) AS auc_low, \
               round(auc_high, 3) AS auc_high, round(lift_10pct, 2) AS lift_10pct, round(calibration_error, 4) AS calibration_error, \
               rows_train, positives_test, reason FROM ops.model_runs ORDER BY model, as_of DESC, version DESC";
    let rows = lake.query(sql, &Params::new()).await?;
    render::rows::print(&rows, None, global)?;
    Ok(ExitClass::Done)
}
