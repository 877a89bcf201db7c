CREATE TABLE `appliance_state` (
	`key` text PRIMARY KEY NOT NULL,
	`text` text,
	`integer` integer
);
--> statement-breakpoint
CREATE TABLE `audit_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at_ms` integer NOT NULL,
	`action` text NOT NULL,
	`outcome` text NOT NULL,
	`actor_user_id` text,
	`subject_user_id` text,
	`session_id` text,
	`address` text,
	`user_agent` text,
	`detail` text
);
--> statement-breakpoint
CREATE INDEX `audit_events_at` ON `audit_events` (`at_ms`);--> statement-breakpoint
CREATE INDEX `audit_events_actor` ON `audit_events` (`actor_user_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_events_subject` ON `audit_events` (`subject_user_id`,`id`) WHERE "audit_events"."subject_user_id" is not null;--> statement-breakpoint
CREATE TABLE `deliveries` (
	`sequence` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`device_id` text NOT NULL,
	`body` text NOT NULL,
	`status` text NOT NULL,
	`created_by` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`handed_out_at_ms` integer,
	`settled_at_ms` integer,
	`outcome` text,
	`note` text,
	`reap_at_ms` integer NOT NULL,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `deliveries_id_unique` ON `deliveries` (`id`);--> statement-breakpoint
CREATE INDEX `deliveries_device` ON `deliveries` (`device_id`,`sequence`);--> statement-breakpoint
CREATE INDEX `deliveries_queued` ON `deliveries` (`device_id`,`sequence`) WHERE "deliveries"."status" = 'queued';--> statement-breakpoint
CREATE INDEX `deliveries_reap` ON `deliveries` (`reap_at_ms`);--> statement-breakpoint
CREATE TABLE `signature_marks` (
	`session_id` text PRIMARY KEY NOT NULL,
	`until_ms` integer NOT NULL,
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `signature_marks_until` ON `signature_marks` (`until_ms`);--> statement-breakpoint
CREATE TABLE `devices` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`session_id` text NOT NULL,
	`handle` text NOT NULL,
	`name` text NOT NULL,
	`serial` text,
	`platform` text,
	`chip` text,
	`labels` text NOT NULL,
	`public_key` text NOT NULL,
	`paired_at_ms` integer NOT NULL,
	`reported_at_ms` integer,
	`reported_version` text,
	`reported_state` text,
	`unpaired_at_ms` integer,
	`unpair_reason` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_session_id_unique` ON `devices` (`session_id`);--> statement-breakpoint
CREATE INDEX `devices_user` ON `devices` (`user_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `devices_live_handle` ON `devices` (`handle`) WHERE "devices"."unpaired_at_ms" is null;--> statement-breakpoint
CREATE UNIQUE INDEX `devices_live_serial` ON `devices` (`serial`) WHERE "devices"."unpaired_at_ms" is null;--> statement-breakpoint
CREATE UNIQUE INDEX `devices_live_key` ON `devices` (`public_key`) WHERE "devices"."unpaired_at_ms" is null;--> statement-breakpoint
CREATE INDEX `devices_handle` ON `devices` (`handle`);--> statement-breakpoint
CREATE TABLE `pairings` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`issued_by` text,
	`code_hash` text NOT NULL,
	`token_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`redeemed_at_ms` integer,
	`device_id` text,
	`proofs` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `pairings_code_hash_unique` ON `pairings` (`code_hash`);--> statement-breakpoint
CREATE UNIQUE INDEX `pairings_token_hash_unique` ON `pairings` (`token_hash`);--> statement-breakpoint
CREATE INDEX `pairings_user` ON `pairings` (`user_id`);--> statement-breakpoint
CREATE INDEX `pairings_issued_by` ON `pairings` (`issued_by`) WHERE "pairings"."issued_by" is not null;--> statement-breakpoint
CREATE INDEX `pairings_device` ON `pairings` (`device_id`) WHERE "pairings"."device_id" is not null;--> statement-breakpoint
CREATE INDEX `pairings_expires` ON `pairings` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `host_tickets` (
	`hash` text PRIMARY KEY NOT NULL,
	`host` text NOT NULL,
	`user_id` text NOT NULL,
	`parent_session_id` text NOT NULL,
	`flow_hash` text NOT NULL,
	`return_path` text NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `host_tickets_parent` ON `host_tickets` (`parent_session_id`);--> statement-breakpoint
CREATE INDEX `host_tickets_expires` ON `host_tickets` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `guest_links` (
	`id` text PRIMARY KEY NOT NULL,
	`device_id` text NOT NULL,
	`service` text NOT NULL,
	`label` text NOT NULL,
	`secret_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`uses` integer NOT NULL,
	`max_uses` integer NOT NULL,
	`last_used_at_ms` integer,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `guest_links_secret_hash_unique` ON `guest_links` (`secret_hash`);--> statement-breakpoint
CREATE INDEX `guest_links_device` ON `guest_links` (`device_id`);--> statement-breakpoint
CREATE INDEX `guest_links_expires` ON `guest_links` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `mcp_protocol_sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`session_id` text NOT NULL,
	`backend` text NOT NULL,
	`protocol_version` text NOT NULL,
	`client_info` text,
	`capabilities` text NOT NULL,
	`log_level` text,
	`subscriptions` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`last_used_at_ms` integer NOT NULL,
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `mcp_protocol_sessions_session` ON `mcp_protocol_sessions` (`session_id`);--> statement-breakpoint
CREATE INDEX `mcp_protocol_sessions_last_used` ON `mcp_protocol_sessions` (`last_used_at_ms`);--> statement-breakpoint
CREATE TABLE `mcp_abouts` (
	`user_id` text NOT NULL,
	`backend` text NOT NULL,
	`fingerprint` text NOT NULL,
	`about` text NOT NULL,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`user_id`, `backend`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `mcp_spawns` (
	`marker` text PRIMARY KEY NOT NULL,
	`backend` text NOT NULL,
	`process_group` integer,
	`start_ticks` text,
	`boot_id` text,
	`spawned_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `oauth_clients` (
	`id` text PRIMARY KEY NOT NULL,
	`metadata_hash` text NOT NULL,
	`metadata` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`reap_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `oauth_clients_metadata_hash_unique` ON `oauth_clients` (`metadata_hash`);--> statement-breakpoint
CREATE INDEX `oauth_clients_reap` ON `oauth_clients` (`reap_at_ms`);--> statement-breakpoint
CREATE TABLE `oauth_codes` (
	`hash` text PRIMARY KEY NOT NULL,
	`client_id` text NOT NULL,
	`client_name` text NOT NULL,
	`user_id` text NOT NULL,
	`issued_by` text,
	`redirect_uri` text NOT NULL,
	`resource` text NOT NULL,
	`scope` text NOT NULL,
	`code_challenge` text NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`redeemed_at_ms` integer,
	`session_id` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `oauth_codes_user` ON `oauth_codes` (`user_id`);--> statement-breakpoint
CREATE INDEX `oauth_codes_issued_by` ON `oauth_codes` (`issued_by`);--> statement-breakpoint
CREATE INDEX `oauth_codes_session` ON `oauth_codes` (`session_id`);--> statement-breakpoint
CREATE INDEX `oauth_codes_expires` ON `oauth_codes` (`expires_at_ms`) WHERE "oauth_codes"."session_id" is null;--> statement-breakpoint
CREATE TABLE `oauth_requests` (
	`hash` text PRIMARY KEY NOT NULL,
	`session_id` text NOT NULL,
	`request` text NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `oauth_requests_session` ON `oauth_requests` (`session_id`);--> statement-breakpoint
CREATE INDEX `oauth_requests_expires` ON `oauth_requests` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `oauth_device_requests` (
	`device_hash` text PRIMARY KEY NOT NULL,
	`user_code_hash` text NOT NULL,
	`client_id` text NOT NULL,
	`client_name` text NOT NULL,
	`resources` text NOT NULL,
	`address` text,
	`status` text NOT NULL,
	`user_id` text,
	`issued_by` text,
	`resource` text,
	`scope` text,
	`session_id` text,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`reap_at_ms` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `oauth_device_requests_user_code_hash_unique` ON `oauth_device_requests` (`user_code_hash`);--> statement-breakpoint
CREATE INDEX `oauth_device_requests_user` ON `oauth_device_requests` (`user_id`);--> statement-breakpoint
CREATE INDEX `oauth_device_requests_issued_by` ON `oauth_device_requests` (`issued_by`);--> statement-breakpoint
CREATE INDEX `oauth_device_requests_session` ON `oauth_device_requests` (`session_id`);--> statement-breakpoint
CREATE INDEX `oauth_device_requests_reap` ON `oauth_device_requests` (`reap_at_ms`);--> statement-breakpoint
CREATE TABLE `pairing_requests` (
	`device_hash` text PRIMARY KEY NOT NULL,
	`user_code_hash` text NOT NULL,
	`public_key` text NOT NULL,
	`about` text NOT NULL,
	`address` text,
	`status` text NOT NULL,
	`user_id` text,
	`issued_by` text,
	`device_id` text,
	`proofs` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`reap_at_ms` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `pairing_requests_user_code_hash_unique` ON `pairing_requests` (`user_code_hash`);--> statement-breakpoint
CREATE INDEX `pairing_requests_key` ON `pairing_requests` (`public_key`);--> statement-breakpoint
CREATE INDEX `pairing_requests_user` ON `pairing_requests` (`user_id`);--> statement-breakpoint
CREATE INDEX `pairing_requests_issued_by` ON `pairing_requests` (`issued_by`);--> statement-breakpoint
CREATE INDEX `pairing_requests_device` ON `pairing_requests` (`device_id`);--> statement-breakpoint
CREATE INDEX `pairing_requests_reap` ON `pairing_requests` (`reap_at_ms`);--> statement-breakpoint
CREATE TABLE `credentials` (
	`hash` text PRIMARY KEY NOT NULL,
	`session_key` integer NOT NULL,
	`use` text NOT NULL,
	`expires_at_ms` integer,
	`superseded_at_ms` integer,
	FOREIGN KEY (`session_key`) REFERENCES `sessions`(`row_key`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `credentials_session` ON `credentials` (`session_key`);--> statement-breakpoint
CREATE INDEX `credentials_expires` ON `credentials` (`expires_at_ms`) WHERE "credentials"."expires_at_ms" is not null;--> statement-breakpoint
CREATE TABLE `ended_session_groups` (
	`name` text PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `ended_session_groups_expires` ON `ended_session_groups` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `session_outbox` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`snapshot` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`published_at_ms` integer
);
--> statement-breakpoint
CREATE INDEX `session_outbox_waiting` ON `session_outbox` (`id`) WHERE "session_outbox"."published_at_ms" is null;--> statement-breakpoint
CREATE INDEX `session_outbox_published` ON `session_outbox` (`published_at_ms`) WHERE "session_outbox"."published_at_ms" is not null;--> statement-breakpoint
CREATE TABLE `sessions` (
	`row_key` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`user_id` text NOT NULL,
	`user_key` integer NOT NULL,
	`parent_id` text,
	`audience` text NOT NULL,
	`status` text NOT NULL,
	`revoked_at_ms` integer,
	`revoke_reason` text,
	`created_at_ms` integer NOT NULL,
	`last_seen_at_ms` integer NOT NULL,
	`idle_timeout_ms` integer,
	`expires_at_ms` integer,
	`reap_at_ms` integer,
	`provider` text,
	`provider_sid` text,
	`address` text,
	`user_agent` text,
	`label` text,
	`client_id` text,
	`scope` text,
	`device_id` text,
	`client_public_key` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_id_unique` ON `sessions` (`id`);--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `sessions_parent` ON `sessions` (`parent_id`) WHERE "sessions"."parent_id" is not null;--> statement-breakpoint
CREATE INDEX `sessions_provider_sid` ON `sessions` (`provider`,`provider_sid`) WHERE "sessions"."provider_sid" is not null;--> statement-breakpoint
CREATE INDEX `sessions_reap` ON `sessions` (`reap_at_ms`);--> statement-breakpoint
CREATE TABLE `logout_token_ids` (
	`provider` text NOT NULL,
	`jti` text NOT NULL,
	`expires_at_ms` integer NOT NULL,
	PRIMARY KEY(`provider`, `jti`)
);
--> statement-breakpoint
CREATE INDEX `logout_token_ids_expires` ON `logout_token_ids` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `provider_logouts` (
	`provider` text NOT NULL,
	`claim` text NOT NULL,
	`value` text NOT NULL,
	`at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	PRIMARY KEY(`provider`, `claim`, `value`)
);
--> statement-breakpoint
CREATE INDEX `provider_logouts_expires` ON `provider_logouts` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `session_id_tokens` (
	`session_id` text PRIMARY KEY NOT NULL,
	`sealed` text NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `session_id_tokens_expires` ON `session_id_tokens` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `sign_in_attempts` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`browser_hash` text NOT NULL,
	`return_to` text NOT NULL,
	`purpose` text NOT NULL,
	`invitation_id` text,
	`started_by_session_id` text,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `sign_in_attempts_expires` ON `sign_in_attempts` (`expires_at_ms`);--> statement-breakpoint
CREATE INDEX `sign_in_attempts_started_by` ON `sign_in_attempts` (`started_by_session_id`);--> statement-breakpoint
CREATE TABLE `upstream_grants` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`provider` text NOT NULL,
	`subject` text NOT NULL,
	`account_name` text,
	`scope` text,
	`status` text NOT NULL,
	`end_reason` text,
	`sealed_access_token` text,
	`sealed_refresh_token` text,
	`obtained_at_ms` integer NOT NULL,
	`expires_at_ms` integer,
	`version` integer NOT NULL,
	`linked_at_ms` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `upstream_grants_user_provider` ON `upstream_grants` (`user_id`,`provider`);--> statement-breakpoint
CREATE TABLE `upstream_links` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`user_id` text NOT NULL,
	`session_id` text NOT NULL,
	`browser_hash` text NOT NULL,
	`return_to` text NOT NULL,
	`expires_at_ms` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `upstream_links_expires` ON `upstream_links` (`expires_at_ms`);--> statement-breakpoint
CREATE INDEX `upstream_links_session` ON `upstream_links` (`session_id`);--> statement-breakpoint
CREATE INDEX `upstream_links_user` ON `upstream_links` (`user_id`);--> statement-breakpoint
CREATE TABLE `upstream_turns` (
	`grant_id` text PRIMARY KEY NOT NULL,
	`holder` text,
	`until_ms` integer NOT NULL,
	`doubted_at_ms` integer,
	FOREIGN KEY (`grant_id`) REFERENCES `upstream_grants`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `user_secrets` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`name` text NOT NULL,
	`sealed` text NOT NULL,
	`updated_at_ms` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `user_secrets_user_name` ON `user_secrets` (`user_id`,`name`);--> statement-breakpoint
CREATE TABLE `identities` (
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`provider` text NOT NULL,
	`user_id` text NOT NULL,
	`invited` integer DEFAULT false NOT NULL,
	`created_at_ms` integer NOT NULL,
	`last_used_at_ms` integer NOT NULL,
	PRIMARY KEY(`issuer`, `subject`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `identities_user` ON `identities` (`user_id`);--> statement-breakpoint
CREATE TABLE `invitations` (
	`id` text PRIMARY KEY NOT NULL,
	`secret_hash` text NOT NULL,
	`purpose` text NOT NULL,
	`role` text NOT NULL,
	`user_id` text,
	`created_by_user_id` text,
	`created_by_session_id` text,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`used_at_ms` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `invitations_secret_hash_unique` ON `invitations` (`secret_hash`);--> statement-breakpoint
CREATE TABLE `local_credentials` (
	`user_id` text PRIMARY KEY NOT NULL,
	`password_hash` text NOT NULL,
	`changed_at_ms` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `retired_usernames` (
	`username_key` text PRIMARY KEY NOT NULL,
	`retired_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `users` (
	`row_key` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`username` text NOT NULL,
	`username_key` text NOT NULL,
	`display_name` text NOT NULL,
	`email` text,
	`email_key` text,
	`groups` text NOT NULL,
	`role` text NOT NULL,
	`owner_by_rule` integer DEFAULT false NOT NULL,
	`status` text NOT NULL,
	`ended_before_ms` integer,
	`ended_except_id` text,
	`created_at_ms` integer NOT NULL,
	`last_sign_in_at_ms` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_id_unique` ON `users` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_username_key_unique` ON `users` (`username_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_email_key_unique` ON `users` (`email_key`);