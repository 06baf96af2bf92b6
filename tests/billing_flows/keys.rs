//! Billing keys at rest, and the rotation of the key that seals them.

use paydeck::domain::operator::{Operator, Role};
use paydeck::engine::VerbError;
use paydeck::store::DatabaseUrl;

use crate::world::{admin, on_each};

#[tokio::test]
async fn after_a_rotation_charges_go_on_and_the_old_key_opens_nothing() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        let rotated = w.engine_with_rotated_key("second").await;
        let support = Operator {
            roles: vec![Role::Support],
            ..admin()
        };
        assert!(matches!(
            rotated.rotate_keys(&support).await,
            Err(VerbError::Denied(_))
        ));
        assert_eq!(rotated.rotate_keys(&admin()).await.expect("rotated"), 1);
        assert_eq!(
            rotated.rotate_keys(&admin()).await.expect("nothing left"),
            0
        );

        w.advance_days(31).await;
        let old = w.run().await;
        assert_eq!(
            w.executed().await,
            (1, 0),
            "the old key opens nothing: {old:?}"
        );
        w.execute(
            "update invoice set dunning = 'scheduled', next_attempt_at = 0 where state = 'open'",
        )
        .await;
        rotated
            .billing_run(&admin(), w.clock_now(), &mut |_| {})
            .await
            .expect("a run");
        assert_eq!(w.executed().await, (2, 0));
    })
    .await;
}

#[tokio::test]
async fn no_billing_key_stands_in_the_database_files() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        let DatabaseUrl::Sqlite(path) = &w.url else {
            return;
        };
        let keys = w.billing_keys().await;
        assert!(!keys.is_empty());
        let directory = path.parent().expect("a directory");
        for entry in std::fs::read_dir(directory).expect("files") {
            let bytes = std::fs::read(entry.expect("a file").path()).unwrap_or_default();
            for key in &keys {
                assert!(
                    !bytes.windows(key.len()).any(|w| w == key.as_bytes()),
                    "a billing key in the clear"
                );
            }
        }
    })
    .await;
}
