//! Why Admit is built as it is: one record a decision, compiled only for the documentation.
//!
//! A decision that is revised gets a new record which names the old one; records are not rewritten.

#![cfg(doc)]

#[doc = include_str!("decisions/0001-features-inside-audiences-outside.md")]
pub mod d0001_features_inside_audiences_outside {}

#[doc = include_str!("decisions/0002-the-domain-is-synchronous.md")]
pub mod d0002_the_domain_is_synchronous {}

#[doc = include_str!("decisions/0003-sled-pinned-and-fenced.md")]
pub mod d0003_sled_pinned_and_fenced {}

#[doc = include_str!("decisions/0004-one-transaction-three-verdicts.md")]
pub mod d0004_one_transaction_three_verdicts {}

#[doc = include_str!("decisions/0005-no-repository-traits.md")]
pub mod d0005_no_repository_traits {}

#[doc = include_str!("decisions/0006-access-tokens-are-not-stored.md")]
pub mod d0006_access_tokens_are_not_stored {}

#[doc = include_str!("decisions/0007-one-path-one-filter.md")]
pub mod d0007_one_path_one_filter {}

#[doc = include_str!("decisions/0008-one-problem-table.md")]
pub mod d0008_one_problem_table {}

#[doc = include_str!("decisions/0009-outbox-for-one-time-passwords.md")]
pub mod d0009_outbox_for_one_time_passwords {}

#[doc = include_str!("decisions/0010-operators-reach-a-running-server.md")]
pub mod d0010_operators_reach_a_running_server {}

#[doc = include_str!("decisions/0011-records-are-versioned-and-sealed.md")]
pub mod d0011_records_are_versioned_and_sealed {}

#[doc = include_str!("decisions/0012-where-documentation-lives.md")]
pub mod d0012_where_documentation_lives {}

#[doc = include_str!("decisions/0013-one-tree-many-tables.md")]
pub mod d0013_one_tree_many_tables {}

#[doc = include_str!("decisions/0014-own-jws.md")]
pub mod d0014_own_jws {}

#[doc = include_str!("decisions/0015-last-instant.md")]
pub mod d0015_last_instant {}

#[doc = include_str!("decisions/0016-one-batch-for-many-transactions.md")]
pub mod d0016_one_batch_for_many_transactions {}

#[doc = include_str!("decisions/0017-heads-are-judged-on-the-wire.md")]
pub mod d0017_heads_are_judged_on_the_wire {}

#[doc = include_str!("decisions/0018-signing-keys-have-a-life.md")]
pub mod d0018_signing_keys_have_a_life {}

#[doc = include_str!("decisions/0019-the-control-socket-speaks-lines.md")]
pub mod d0019_the_control_socket_speaks_lines {}

#[doc = include_str!("decisions/0020-two-issuers-one-core.md")]
pub mod d0020_two_issuers_one_core {}

#[doc = include_str!("decisions/0021-how-sign-ins-end.md")]
pub mod d0021_how_sign_ins_end {}

#[doc = include_str!("decisions/0022-guessed-passwords-lock-nobody-out.md")]
pub mod d0022_guessed_passwords_lock_nobody_out {}

#[doc = include_str!("decisions/0023-pages-without-scripts.md")]
pub mod d0023_pages_without_scripts {}

#[doc = include_str!("decisions/0024-callbacks-are-held-asked-settled.md")]
pub mod d0024_callbacks_are_held_asked_settled {}

#[doc = include_str!("decisions/0025-upstreams-are-the-operators-to-allow.md")]
pub mod d0025_upstreams_are_the_operators_to_allow {}

#[doc = include_str!("decisions/0026-what-codes-may-cost.md")]
pub mod d0026_what_codes_may_cost {}

#[doc = include_str!("decisions/0027-stand-ins-are-a-command-of-their-own.md")]
pub mod d0027_stand_ins_are_a_command_of_their_own {}

#[doc = include_str!("decisions/0028-an-older-state-begins-a-new-epoch.md")]
pub mod d0028_an_older_state_begins_a_new_epoch {}

#[doc = include_str!("decisions/0029-a-backup-is-a-copy-and-the-changes-since-it-began.md")]
pub mod d0029_a_backup_is_a_copy_and_the_changes_since_it_began {}

#[doc = include_str!("decisions/0030-records-step-forward-in-a-copy.md")]
pub mod d0030_records_step_forward_in_a_copy {}

#[doc = include_str!("decisions/0031-a-store-that-lost-its-end-is-noticed-by-a-number.md")]
pub mod d0031_a_store_that_lost_its_end_is_noticed_by_a_number {}

#[doc = include_str!("decisions/0032-room-is-set-aside-in-the-engines-own-file.md")]
pub mod d0032_room_is_set_aside_in_the_engines_own_file {}

#[doc = include_str!("decisions/0033-damage-at-a-start-refuses-damage-found-later-ends-new-facts.md")]
pub mod d0033_damage_at_a_start_refuses_damage_found_later_ends_new_facts {}

#[doc = include_str!("decisions/0034-after-a-leap-of-the-clock-expiry-is-true-and-removal-waits.md")]
pub mod d0034_after_a_leap_of_the_clock_expiry_is_true_and_removal_waits {}

#[doc = include_str!("decisions/0035-the-audit-is-a-chain-with-signed-heads.md")]
pub mod d0035_the_audit_is_a_chain_with_signed_heads {}

#[doc = include_str!("decisions/0036-no-change-without-a-word-in-the-audit.md")]
pub mod d0036_no_change_without_a_word_in_the_audit {}

#[doc = include_str!("decisions/0037-the-operator-acts-as-a-caller-and-sees-ticket-ids.md")]
pub mod d0037_the_operator_acts_as_a_caller_and_sees_ticket_ids {}

#[doc = include_str!("decisions/0038-the-doctor-weighs-what-it-finds.md")]
pub mod d0038_the_doctor_weighs_what_it_finds {}

#[doc = include_str!("decisions/0039-suites-of-256-bits-certificates-of-89-days.md")]
pub mod d0039_suites_of_256_bits_certificates_of_89_days {}

#[doc = include_str!("decisions/0040-the-ledger-of-egress-is-memory.md")]
pub mod d0040_the_ledger_of_egress_is_memory {}

#[doc = include_str!("decisions/0041-the-package-gives-root-one-command-and-keeps-the-key-from-the-services-user.md")]
pub mod d0041_the_package_gives_root_one_command_and_keeps_the_key_from_the_services_user {}

#[doc = include_str!("decisions/0042-power-cuts-are-made-from-a-drives-notes.md")]
pub mod d0042_power_cuts_are_made_from_a_drives_notes {}

#[doc = include_str!("decisions/0043-memory-is-given-back-by-jemalloc.md")]
pub mod d0043_memory_is_given_back_by_jemalloc {}

#[doc = include_str!("decisions/0044-shares-of-the-master-key-are-our-own-arithmetic.md")]
pub mod d0044_shares_of_the_master_key_are_our_own_arithmetic {}
