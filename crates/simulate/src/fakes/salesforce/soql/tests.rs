use super::*;
use serde_json::json;

fn holds(condition: &str, record: &serde_json::Value) -> bool {
    parse(&format!("SELECT Id FROM Opportunity WHERE {condition}")).unwrap().filter.unwrap().holds(record)
}

#[test]
fn a_window_includes_its_start_and_not_its_end() {
    let record = json!({"SystemModstamp": "2026-06-30T12:00:00.000+0000"});
    let window = |from: &str, to: &str| holds(&format!("SystemModstamp >= {from} AND SystemModstamp < {to}"), &record);
    assert!(window("2026-06-30T12:00:00Z", "2026-06-30T12:00:00.001+00:00"));
    assert!(!window("2026-06-29T12:00:00Z", "2026-06-30T14:00:00+02:00"));
    assert!(!window("2026-06-30T12:00:00.001Z", "2026-07-01T00:00:00Z"));
}

#[test]
fn conditions_follow_types_and_nulls() {
    let record = json!({"Amount": 1200.5, "StageName": "Closed Won", "IsWon": true, "CloseDate": "2026-03-01", "Type": null,
                        "Id": "006gL0000000001QAA"});
    assert!(holds("Amount > 1200 AND IsWon = TRUE", &record));
    assert!(holds("StageName IN ('x', 'closed won') AND (CloseDate < 2026-01-01 OR CloseDate >= 2026-03-01)", &record));
    assert!(holds("Id = '006gL0000000001' AND Type = null AND NOT Amount = null", &record));
    assert!(!holds("Type > 'A'", &record));
    assert!(holds("StageName LIKE 'closed%' AND StageName NOT IN ('Closed Lost')", &record));
}

#[test]
fn reads_order_limit_and_count() {
    let query = parse("select id, amount from opportunity order by SystemModstamp desc nulls last, Id limit 5").unwrap();
    assert_eq!(query.select, Select::Fields(vec!["Id", "Amount"]));
    assert_eq!((query.order, query.limit), (vec![("SystemModstamp", true), ("Id", false)], Some(5)));
    assert_eq!(parse("SELECT COUNT() FROM Case").unwrap().select, Select::Count);
}

#[test]
fn complains_as_salesforce_does() {
    let code = |text: &str| parse(text).unwrap_err().0;
    assert_eq!(code("SELECT Nme FROM Account"), "INVALID_FIELD");
    assert_eq!(code("SELECT Id FROM Acount"), "INVALID_TYPE");
    assert_eq!(code("SELECT Id FROM Account WHERE SystemModstamp > '2026-01-01T00:00:00Z'"), "INVALID_FIELD");
    // A plus sign that wasn't encoded arrives as a space.
    assert_eq!(code("SELECT Id FROM Account WHERE SystemModstamp > 2026-01-01T00:00:00.000 00:00"), "MALFORMED_QUERY");
    assert_eq!(code("SELECT Id FROM Account WHERE Name = 'x"), "MALFORMED_QUERY");
    assert_eq!(code("SELECT Id FROM Account LIMIT ten"), "MALFORMED_QUERY");
}
