use super::*;

fn paginator(yaml: &str) -> Paginator {
    cscopilot_spec::parse("x.yaml", &std::sync::Arc::from(yaml), yaml, 0).unwrap()
}

struct Api<'a> {
    pager: Pager<'a>,
    url: Url,
    bodies: u64,
}

impl<'a> Api<'a> {
    fn new(spec: &'a Paginator) -> Self {
        Self { pager: Pager::new(Some(spec), None), url: Url::parse("http://h/v1/x").unwrap(), bodies: 0 }
    }

    fn answer(&mut self, records: u64, values: Value, header: Option<(&str, &str)>, last_id: Option<&str>) -> Result<Next, RestError> {
        self.bodies += 1;
        let values = values.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let headers = header.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let facts = PageFacts { records, values: &values, headers: &headers, last_id, body: self.bodies, url: &self.url };
        self.pager.advance(&facts)
    }

    fn params(&self) -> Vec<(String, String)> {
        let mut params = Vec::new();
        self.pager.place(&mut params, &mut None);
        params
    }
}

#[test]
fn a_cursor_goes_on_until_it_is_missing_and_an_empty_page_is_not_the_end() {
    let spec = paginator("cursor: {path: next, place: {param: after}}");
    let mut api = Api::new(&spec);
    assert_eq!(api.params(), []);
    assert_eq!(api.answer(2, json!({"next": "a"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params(), [("after".to_owned(), "a".to_owned())]);
    assert_eq!(api.answer(0, json!({"next": "b"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.answer(1, json!({"next": null}), None, None).unwrap(), Next::End);
}

#[test]
fn a_repeated_cursor_is_an_error_and_the_page_can_be_asked_for_again() {
    let spec = paginator("cursor: {path: next, place: {param: after}}");
    let mut api = Api::new(&spec);
    api.answer(1, json!({"next": "a"}), None, None).unwrap();
    let error = api.answer(1, json!({"next": "a"}), None, None).unwrap_err();
    assert!(matches!(error, RestError::RepeatedPage { .. }), "{error}");
    assert_eq!(api.params()[0].1, "a");
    assert_eq!(api.answer(1, json!({"next": "b"}), None, None).unwrap(), Next::Page);
}

#[test]
fn the_same_body_twice_is_an_error() {
    let spec = paginator("page_number: {param: page, size: 1}");
    let mut api = Api::new(&spec);
    api.answer(1, json!({}), None, None).unwrap();
    api.bodies -= 1;
    assert!(matches!(api.answer(1, json!({}), None, None), Err(RestError::RepeatedPage { .. })));
}

#[test]
fn a_page_that_promises_more_without_a_cursor_is_an_error() {
    let spec = paginator("cursor: {path: next, place: {param: after}, stop_when: {path: more, equals: false}}");
    let mut api = Api::new(&spec);
    assert!(matches!(api.answer(1, json!({"more": true}), None, None), Err(RestError::NoNextPage { .. })));
    assert_eq!(api.answer(1, json!({"more": false}), None, None).unwrap(), Next::End);
}

#[test]
fn a_header_may_say_that_there_is_no_more() {
    let spec = paginator("cursor: {header: X-Locator, none: \"null\", place: {param: locator}}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(1, json!({}), Some(("x-locator", "q")), None).unwrap(), Next::Page);
    assert_eq!(api.answer(1, json!({}), Some(("x-locator", "null")), None).unwrap(), Next::End);
}

#[test]
fn a_cap_makes_the_query_begin_again_behind_the_last_record() {
    let spec = paginator("cursor: {path: next, place: {body: paging.after}, restart: {records: 4, key: id}}");
    let mut api = Api::new(&spec);
    api.answer(2, json!({"next": "2"}), None, Some("11")).unwrap();
    let mut body = Some(json!({"limit": 2}));
    api.pager.place(&mut Vec::new(), &mut body);
    assert_eq!(body, Some(json!({"limit": 2, "paging": {"after": "2"}})));
    assert_eq!(api.answer(2, json!({"next": "4"}), None, Some("17")).unwrap(), Next::Page);
    let (page, restart) = api.pager.context();
    assert_eq!((page["token"].clone(), restart["key"].clone()), (json!(null), json!("17")));
    assert_eq!(api.answer(1, json!({}), None, Some("18")).unwrap(), Next::End);
}

#[test]
fn a_scrolls_token_may_stay_the_same() {
    let spec = paginator("cursor: {path: scroll, place: {param: scroll}, constant: true, empty_page_ends: true}");
    let mut api = Api::new(&spec);
    for _ in 0..3 {
        assert_eq!(api.answer(1, json!({"scroll": "s"}), None, None).unwrap(), Next::Page);
    }
    assert_eq!(api.answer(0, json!({"scroll": "s"}), None, None).unwrap(), Next::End);
}

#[test]
fn counted_pages_and_offsets_end_where_the_api_says() {
    let spec = paginator("offset: {param: offset, size: 2, total: total}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(2, json!({"total": 3}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params()[0].1, "2");
    assert!(matches!(api.answer(0, json!({"total": 3}), None, None), Err(RestError::EmptyPage { .. })));
    assert_eq!(api.answer(1, json!({"total": 3}), None, None).unwrap(), Next::End);

    let spec = paginator("page_number: {param: page, pages: pages}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(5, json!({"pages": 2}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params()[0].1, "2");
    assert_eq!(api.answer(5, json!({"pages": 2}), None, None).unwrap(), Next::End);
}

#[test]
fn ids_and_sessions_lead_on() {
    let spec = paginator("last_id: {param: starting_after, id: id, stop_when: {path: has_more, equals: false}}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(1, json!({"has_more": true}), None, Some("cus_9")).unwrap(), Next::Page);
    assert_eq!(api.params(), [("starting_after".to_owned(), "cus_9".to_owned())]);
    assert!(matches!(api.answer(0, json!({"has_more": true}), None, None), Err(RestError::NoId { .. })));

    let spec = paginator("session_page: {path: session, param: session_id, page_param: page, size: 2}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(2, json!({"session": "s"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params(), [("session_id".to_owned(), "s".to_owned()), ("page".to_owned(), "1".to_owned())]);
    assert_eq!(api.answer(1, json!({"session": "s"}), None, None).unwrap(), Next::End);
}

#[test]
fn addresses_of_other_hosts_are_refused() {
    let spec = paginator("next_url: {path: next}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(1, json!({"next": "/v1/x?page=2"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.pager.url().unwrap().as_str(), "http://h/v1/x?page=2");
    assert!(matches!(api.answer(1, json!({"next": "http://evil/x"}), None, None), Err(RestError::BadNextUrl { .. })));
    assert_eq!(next_link("<http://h/1>; rel=\"prev\", <http://h/3>; title=\"a\"; rel=\"next\"").as_deref(), Some("http://h/3"));
    assert_eq!(next_link("<http://h/1>; rel=\"prev\""), None);
}

#[test]
fn a_clone_starts_anew_for_each_partition() {
    let spec = paginator("page_number: {param: page, first: 0, size: 1}");
    let mut api = Api::new(&spec);
    api.answer(1, json!({}), None, None).unwrap();
    assert_eq!(Api::new(&spec).params()[0].1, "0");
}
