//! Watch: what arrives, what opening told, and what a frame costs.

use eframe::egui::{self, Key};
use egui_kittest::kittest::Queryable;
use sealwire::{
    client::{Asked, Command, Event, Failure, LinkState, Opening, SampleState, SubscriptionView},
    desktop::{messages::Budget, model::Place, theme::ThemeChoice},
};

use crate::scene::*;

fn rows(scene: &mut Scene, messages: Vec<sealwire::client::Message>) {
    scene.tell(Event::Messages(messages));
}

#[test]
fn an_empty_watch_offers_the_sample_sensor_only_to_who_may_publish_and_watch() {
    let mut harness = open(Scene::new(Page::Watch, model("admin")));
    click(&mut harness, "Start the sample sensor");
    assert!(matches!(asked(&harness), [Command::StartSample]));
    let harness = open(Scene::new(Page::Watch, model("subscriber")));
    assert!(harness.query_by_label("Start the sample sensor").is_none());
    assert!(harness.query_by_label("Watch a topic…").is_some());
}

#[test]
fn the_running_sample_sensor_has_a_way_to_stop_it() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    scene.tell(Event::Sample(SampleState::Running));
    let mut harness = open(scene);
    assert!(sees(&harness, "Sample sensor runs"));
    click(&mut harness, "Stop");
    assert!(matches!(asked(&harness), [Command::StopSample]));
}

#[test]
fn a_filter_is_judged_while_it_is_typed_and_enter_watches_it() {
    let mut harness = open(Scene::new(Page::Watch, model("subscriber")));
    click(&mut harness, "Watch a topic…");
    type_into(&mut harness, "Topic filter", "plant/#/x");
    assert!(sees(&harness, "# must be the last level"));
    harness.key_press(Key::Enter);
    settle(&mut harness);
    assert!(asked(&harness).is_empty());
    clear_field(&mut harness, "Topic filter");
    type_into(&mut harness, "Topic filter", "$SYS/#");
    assert!(sees(&harness, "has no rule that lets it subscribe to $SYS/#"));
    clear_field(&mut harness, "Topic filter");
    type_into(&mut harness, "Topic filter", "plant/#");
    harness.key_press(Key::Enter);
    settle(&mut harness);
    assert!(
        matches!(asked(&harness), [Command::SubscribeAt { filter: watched, qos: 1 }] if *watched == filter("plant/#"))
    );
}

#[test]
fn each_watched_filter_shows_what_the_broker_said_and_can_be_removed() {
    let mut scene = Scene::new(Page::Watch, busy());
    scene.tell(Event::Subscriptions(vec![
        SubscriptionView { filter: filter("a/#"), qos: 1, granted: None },
        SubscriptionView { filter: filter("b/#"), qos: 1, granted: Some(Ok(1)) },
        SubscriptionView { filter: filter("c/#"), qos: 1, granted: Some(Err("Not for your role.".into())) },
    ]));
    let mut harness = open(scene);
    assert!(sees(&harness, "asking") && sees(&harness, "QoS 1") && sees(&harness, "Not for your role."));
    click(&mut harness, "Stop watching c/#");
    assert!(matches!(asked(&harness), [Command::Unsubscribe(gone)] if *gone == filter("c/#")));
}

#[test]
fn a_subscription_that_failed_says_so_where_it_was_asked_for() {
    let mut scene = Scene::new(Page::Watch, busy());
    scene.tell(Event::Failed(
        Asked::Subscribe,
        Failure {
            what: "It is not watched.".into(),
            why: "The link is down.".into(),
            next: "Wait.".into(),
            retry_after: None,
        },
    ));
    let mut harness = open(scene);
    assert!(sees(&harness, "It is not watched.") && sees(&harness, "The link is down."));
    click(&mut harness, "Dismiss");
    assert!(!sees(&harness, "It is not watched."));
}

#[test]
fn a_chosen_message_shows_what_opening_told_beside_what_the_broker_sees() {
    let mut harness = open(Scene::new(Page::Watch, busy()));
    harness.get_all_by_label_contains("fleet/truck-014/gps, Sealed").next().unwrap().click();
    settle(&mut harness);
    for told in [
        "AES-256-GCM (cose-a256gcm)",
        "Plant · a14f09c2",
        "fresh: not seen here before",
        "not signed: any holder of the key",
        "WHAT THE BROKER SEES",
        "11 ms before",
        "application/json",
    ] {
        assert!(sees(&harness, told), "{told}");
    }
    assert!(sees(&harness, "\"speed_kmh\""), "the payload in the open");
    assert!(sees(&harness, "0000  d0 83 58 4a"), "the bytes on the wire");
    click(&mut harness, "Publish to this topic");
    assert_eq!(harness.state().out.going(), Some(Place::Publish));
}

#[test]
fn what_could_not_be_opened_says_what_why_and_the_next_step() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    rows(
        &mut scene,
        vec![refused(1, now_ms(), "plant/vault", "No key", "It was sealed with a key that you do not have.")],
    );
    let mut harness = open(scene);
    harness.get_by_label_contains("plant/vault, No key").click();
    settle(&mut harness);
    assert!(sees(&harness, "It was sealed with a key that you do not have."));
    assert!(sees(&harness, "Nothing of them was trusted."));
    click(&mut harness, "Import a key…");
    assert_eq!(harness.state().out.going(), Some(Place::Keys));
}

#[test]
fn arrows_go_through_the_rows_and_escape_lets_go() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    let now = now_ms();
    rows(&mut scene, (1..=50).map(|n| message(n, now, "plant/a", &format!("reading {n}"))).collect());
    let mut harness = open(scene);
    harness.get_all_by_label_contains("plant/a, Sealed").next().unwrap().click();
    settle(&mut harness);
    assert_eq!(harness.query_all_by_label("reading 50").count(), 2, "in the table and in the detail");
    for _ in 0..20 {
        harness.key_press(Key::ArrowDown);
        harness.run_steps(1);
    }
    settle(&mut harness);
    assert_eq!(
        harness.query_all_by_label("reading 30").count(),
        2,
        "in the table, scrolled to, and in the detail"
    );
    harness.key_press(Key::Home);
    settle(&mut harness);
    assert_eq!(harness.query_all_by_label("reading 50").count(), 2);
    harness.key_press(Key::Escape);
    settle(&mut harness);
    assert!(sees(&harness, "Choose a message in the table"));
}

#[test]
fn without_a_connection_nothing_is_called_live() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    rows(&mut scene, vec![message(1, now_ms(), "a", "reading 1")]);
    scene.tell(Event::Link(LinkState::Connecting { attempt: 2 }));
    let harness = open(scene);
    assert!(sees(&harness, "Not connected") && !sees(&harness, "Live"));
}

#[test]
fn payload_and_sealed_bytes_are_both_in_sight_in_a_low_window() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    let text = format!("{{{}}}", (0..40).map(|n| format!("\"field{n}\":{n}")).collect::<Vec<_>>().join(","));
    rows(&mut scene, vec![message(1, now_ms(), "a", &text)]);
    let mut harness = open_at(scene, ThemeChoice::Dark, [964.0, 560.0]);
    harness.get_all_by_label_contains(" a, Sealed").next().unwrap().click();
    settle(&mut harness);
    assert!(sees(&harness, "\"field0\": 0"));
    let first = harness.get_all_by_label_contains("0000  ").next().unwrap().rect();
    assert!(first.bottom() < 460.0, "the first sealed bytes need no scrolling: {first}");
}

#[test]
fn a_pause_keeps_the_rows_and_counts_what_comes() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    rows(&mut scene, (1..=5).map(|n| message(n, now_ms(), "a", &format!("reading {n}"))).collect());
    let mut harness = open(scene);
    assert!(sees(&harness, "Live"));
    click(&mut harness, "Pause");
    harness
        .state_mut()
        .tell(Event::Messages((6..=9).map(|n| message(n, now_ms(), "a", &format!("reading {n}"))).collect()));
    settle(&mut harness);
    assert!(sees(&harness, "Paused") && !sees(&harness, "reading 9"));
    click(&mut harness, "4 new");
    assert!(sees(&harness, "reading 9") && sees(&harness, "Live") && !sees(&harness, "4 new"));
}

#[test]
fn rows_do_not_move_under_a_reader_who_scrolled_down() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    rows(&mut scene, (1..=500).map(|n| message(n, now_ms(), "a", &format!("reading {n}"))).collect());
    let mut harness = open(scene);
    harness.get_all_by_label_contains(" a, Sealed").next().unwrap().click();
    settle(&mut harness);
    for _ in 0..8 {
        harness.key_press(Key::PageDown);
        harness.run_steps(2);
    }
    let place = |harness: &egui_kittest::Harness<'_, Scene>| {
        let mut tops: Vec<f32> =
            harness.query_all_by_label_contains("Sealed").map(|node| node.rect().top()).collect();
        tops.sort_by(f32::total_cmp);
        tops
    };
    let before = place(&harness);
    assert!(before.len() > 5 && sees(&harness, "Held"));
    harness
        .state_mut()
        .tell(Event::Messages((501..=900).map(|n| message(n, now_ms(), "a", "new")).collect()));
    settle(&mut harness);
    assert_eq!(place(&harness), before);
    assert!(sees(&harness, "Held") && sees(&harness, "400 new"));
    click(&mut harness, "400 new");
    assert!(sees(&harness, "Live"));
}

#[test]
fn text_problems_and_a_branch_of_the_tree_narrow_the_table() {
    let mut harness = open(Scene::new(Page::Watch, busy()));
    type_into(&mut harness, "Filter messages", "RUNNING");
    assert!(sees(&harness, "200 of 1,600"));
    clear_field(&mut harness, "Filter messages");
    click(&mut harness, "Only problems (120)");
    assert!(sees(&harness, "120 of 1,600"));
    click(&mut harness, "press");
    assert!(sees(&harness, "No message passes the filter"));
    click(&mut harness, "Show all messages");
    assert!(sees(&harness, "1,600 rows"));
}

#[test]
fn a_field_of_the_plot_is_switched_by_its_name() {
    let mut harness = open(Scene::new(Page::Watch, busy()));
    click(&mut harness, "temperature");
    assert!(harness.query_by_label("Draw celsius").is_some());
    click(&mut harness, "Draw seq");
    click(&mut harness, "1h");
    assert!(harness.query_by_label("Draw seq").is_some());
}

#[test]
fn in_a_small_window_the_message_lies_over_the_page_and_closes() {
    let scene = Scene::new(Page::Watch, busy());
    let mut harness = open_at(scene, sealwire::desktop::theme::ThemeChoice::Light, [1024.0, 700.0]);
    harness.get_all_by_label_contains("plant/hvac/co2, Sealed").next().unwrap().click();
    settle(&mut harness);
    assert!(sees(&harness, "fresh: not seen here before"));
    click(&mut harness, "Close the message");
    assert!(!sees(&harness, "fresh: not seen here before"));
}

#[test]
fn a_frame_with_a_hundred_thousand_rows_lays_out_what_is_seen_and_searches_a_bounded_part() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    let now = now_ms();
    rows(
        &mut scene,
        (0..100_000).map(|n| message(n, now, &format!("plant/{}", n % 50), "{\"celsius\":21.5}")).collect(),
    );
    let mut harness = open(scene);
    let (laid_out, searched) = harness.state().watch.frame_cost();
    assert!(laid_out > 5 && laid_out < 40, "{laid_out}");
    assert_eq!(searched, 0);
    harness.get_by_label("Filter messages").click();
    settle(&mut harness);
    harness.event(egui::Event::Text("21.5".into()));
    let mut most = 0;
    for _ in 0..60 {
        harness.run_steps(1);
        most = most.max(harness.state().watch.frame_cost().1);
    }
    assert!(most > 0 && most <= 5_000, "{most}");
    assert!(sees(&harness, "100,000 of 100,000"));
    harness.run_steps(1);
    assert_eq!(harness.state().watch.frame_cost().1, 0, "a frame without news searches nothing");
}

#[test]
fn a_burst_is_taken_in_and_only_the_rows_in_view_are_laid_out() {
    let mut harness = open(Scene::new(Page::Watch, model("admin")));
    for round in 0..10 {
        let batch = (0..2_000).map(|n| message(round * 2_000 + n, now_ms(), "plant/a", "1")).collect();
        harness.state_mut().tell(Event::Messages(batch));
        harness.run_steps(1);
        assert!(harness.state().watch.frame_cost().0 < 40);
    }
    assert!(sees(&harness, "20,000 rows"));
}

/// More than fits, and a burst that the window could not follow.
fn after_a_burst() -> Scene {
    let mut scene = Scene::new(Page::Watch, busy());
    scene.model.messages.set_budget(Budget { rows: 1_000, ..Budget::default() });
    scene.tell(Event::LeftOut { repeats: 3, dropped: 12_300 });
    scene
}

#[test]
fn below_the_messages_stands_what_they_have_in_memory_and_what_was_left_out_and_why() {
    let mut harness = open(Scene::new(Page::Watch, busy()));
    assert!(sees(&harness, " of 128 MiB, 1,600 of 100,000 rows") && !sees(&harness, "the oldest go first"));
    assert!(harness.query_by_label_contains(" left out").is_none());
    *harness.state_mut() = after_a_burst();
    settle(&mut harness);
    assert!(sees(&harness, " of 128 MiB, 1,000 of 1,000 rows; the oldest go first"));
    harness.get_by_label("12,900 left out").hover();
    harness.run_steps(60);
    assert!(sees(&harness, "600 made room for others. 12,300 came faster than this window could take them."));
    assert!(sees(&harness, "The history on this computer keeps the newest 100,000"));
}

#[test]
#[ignore = "draws pictures"]
fn pictures_after_a_burst() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    for (theme, tag) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, wide) in [([1440.0, 900.0], "large"), ([760.0, 600.0], "small")] {
            let mut harness = open_at(after_a_burst(), theme, size);
            harness.render().unwrap().save(folder.join(format!("watch-burst-{tag}-{wide}.png"))).unwrap();
        }
    }
}

#[test]
fn a_quiet_window_paints_no_frame_by_itself() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    let old = now_ms() - 60_000;
    rows(&mut scene, (1..=20).map(|n| message(n, old, "a", "21.5")).collect());
    let mut harness = open(scene);
    assert!(harness.try_run().is_ok(), "nothing moves, so nothing is painted again");
}

#[test]
fn a_payload_of_a_megabyte_without_a_line_break_is_looked_at_within_a_bound() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    rows(&mut scene, vec![message(1, now_ms(), "big", &"x".repeat(1_000_000))]);
    let mut harness = open(scene);
    harness.get_by_label_contains("big, Sealed").click();
    settle(&mut harness);
    assert!(sees(&harness, "First 64 KiB of"));
}

#[test]
fn a_filter_is_watched_at_a_chosen_quality_of_service_and_changed_later() {
    let mut scene = Scene::new(Page::Watch, busy());
    scene.tell(Event::Subscriptions(vec![SubscriptionView {
        filter: filter("b/#"),
        qos: 2,
        granted: Some(Ok(1)),
    }]));
    let mut harness = open(scene);
    click(&mut harness, "Watch a topic filter…");
    click(&mut harness, "QoS 2");
    type_into(&mut harness, "Topic filter", "plant/#");
    harness.key_press(Key::Enter);
    settle(&mut harness);
    click(&mut harness, "QoS 1: change the quality of service of b/#");
    click(&mut harness, "QoS 0");
    let [Command::SubscribeAt { filter: first, qos: 2 }, Command::SubscribeAt { filter: second, qos: 0 }] =
        asked(&harness)
    else {
        panic!("{:?}", asked(&harness))
    };
    assert_eq!((first.as_str(), second.as_str()), ("plant/#", "b/#"));
}

#[test]
fn a_message_that_is_a_will_is_marked_in_its_row_and_beside_its_payload() {
    let mut scene = Scene::new(Page::Watch, model("admin"));
    let mut last = message(1, now_ms(), "plant/press", "the press went silent");
    if let Opening::Opened { will, .. } = &mut last.opening {
        *will = true;
    }
    last.qos = 2;
    rows(&mut scene, vec![last, message(2, now_ms(), "plant/other", "alive")]);
    let mut harness = open(scene);
    assert!(sees(&harness, "plant/press, Will, sealed") && sees(&harness, "plant/other, Sealed"));
    let row = harness.query_all_by_label_contains("plant/press, Will, sealed").next().unwrap();
    row.click();
    settle(&mut harness);
    assert!(harness.query_by_label("will").is_some() && sees(&harness, "QoS 2"));
}
