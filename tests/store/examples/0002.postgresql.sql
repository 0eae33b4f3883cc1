CREATE TABLE public.account (
    id bigint NOT NULL,
    principal bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    name_key text NOT NULL COLLATE pg_catalog."C",
    password text,
    email text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    displayname text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    role text DEFAULT 'user'::text NOT NULL COLLATE pg_catalog."C",
    disabled bigint DEFAULT '0'::bigint NOT NULL,
    generation bigint DEFAULT '1'::bigint NOT NULL,
    created bigint NOT NULL
);

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.audit (
    id bigint NOT NULL,
    at bigint NOT NULL,
    action text NOT NULL COLLATE pg_catalog."C",
    account text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    actor text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    address text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    client text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    detail text DEFAULT '{}'::text NOT NULL COLLATE pg_catalog."C"
);

CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;

CREATE TABLE public.body (
    owner bigint NOT NULL,
    item bigint NOT NULL,
    octets bytea NOT NULL,
    spans bytea NOT NULL
);

CREATE TABLE public.calsync_preparing (
    one bigint NOT NULL
);

CREATE TABLE public.card_field (
    owner bigint NOT NULL,
    item bigint NOT NULL,
    place bigint NOT NULL,
    collection bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.collection (
    owner bigint NOT NULL,
    id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    components text NOT NULL COLLATE pg_catalog."C",
    properties text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    horizon bigint NOT NULL,
    item_count bigint NOT NULL,
    octet_count bigint NOT NULL,
    created bigint NOT NULL,
    modified bigint NOT NULL
);

CREATE TABLE public.credential (
    id text NOT NULL,
    account bigint NOT NULL,
    kind text DEFAULT 'app'::text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    scope text NOT NULL COLLATE pg_catalog."C",
    read_only bigint DEFAULT '0'::bigint NOT NULL,
    expires bigint,
    created bigint NOT NULL,
    last_used bigint,
    last_address text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    last_client text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    revoked bigint DEFAULT '0'::bigint NOT NULL
);

CREATE TABLE public.dead_property (
    owner bigint NOT NULL,
    item bigint NOT NULL,
    name text NOT NULL,
    xml text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.external_identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    account bigint NOT NULL,
    created bigint NOT NULL
);

CREATE TABLE public.item (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    id bigint NOT NULL,
    href text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    uid text NOT NULL COLLATE pg_catalog."C",
    uid_key text NOT NULL COLLATE pg_catalog."C",
    uid_length bigint NOT NULL,
    component text NOT NULL COLLATE pg_catalog."C",
    etag text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    span integer,
    recurring bigint NOT NULL,
    floating bigint NOT NULL,
    busy text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    organizer text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    schedule_tag text,
    content_type text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    created bigint NOT NULL,
    modified bigint NOT NULL,
    derived bigint NOT NULL
);

CREATE TABLE public.job (
    id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    payload text NOT NULL COLLATE pg_catalog."C",
    owner bigint NOT NULL,
    topic text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    number bigint DEFAULT '0'::bigint NOT NULL,
    created bigint NOT NULL,
    due bigint NOT NULL,
    attempts bigint DEFAULT '0'::bigint NOT NULL,
    dead bigint DEFAULT '0'::bigint NOT NULL,
    holder text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    held bigint DEFAULT '0'::bigint NOT NULL,
    error text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.lease (
    name text NOT NULL,
    holder text NOT NULL COLLATE pg_catalog."C",
    until bigint NOT NULL,
    done bigint DEFAULT '0'::bigint NOT NULL
);

CREATE TABLE public.lock (
    owner bigint NOT NULL,
    token text NOT NULL,
    url text NOT NULL COLLATE pg_catalog."C",
    scope text NOT NULL COLLATE pg_catalog."C",
    depth text NOT NULL COLLATE pg_catalog."C",
    description text NOT NULL COLLATE pg_catalog."C",
    principal bigint NOT NULL,
    expires bigint NOT NULL,
    created bigint NOT NULL
);

CREATE TABLE public.login_flow (
    id bytea NOT NULL,
    poll bytea NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    client text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    address text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    account bigint,
    generation bigint,
    granted text COLLATE pg_catalog."C"
);

CREATE TABLE public.membership (
    account bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    source text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.meta (
    key text NOT NULL,
    value bytea NOT NULL
);

CREATE TABLE public.mount (
    principal bigint NOT NULL,
    parent bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    bound bigint NOT NULL,
    "position" bigint NOT NULL,
    displayname text COLLATE pg_catalog."C",
    color text COLLATE pg_catalog."C"
);

CREATE TABLE public.occurrence (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    bucket bigint NOT NULL,
    item bigint NOT NULL,
    packed bytea NOT NULL
);

CREATE TABLE public.principal (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    name_key text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    epoch text NOT NULL COLLATE pg_catalog."C",
    horizon bigint NOT NULL,
    properties text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL,
    modified bigint NOT NULL
);

CREATE TABLE public.property_revision (
    owner bigint NOT NULL,
    ended bigint NOT NULL,
    collection bigint NOT NULL,
    properties text NOT NULL COLLATE pg_catalog."C",
    since bigint NOT NULL,
    until bigint NOT NULL,
    actor text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.quarantine (
    owner bigint NOT NULL,
    id bigint NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C",
    target text NOT NULL COLLATE pg_catalog."C",
    href text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    origin text NOT NULL COLLATE pg_catalog."C",
    condition text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    received bigint NOT NULL,
    actor text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    octets bytea NOT NULL
);

CREATE TABLE public.quota (
    principal bigint NOT NULL,
    octets bigint,
    items bigint,
    collections bigint
);

CREATE TABLE public.recovery_code (
    account bigint NOT NULL,
    hash bytea NOT NULL
);

CREATE TABLE public.revision (
    owner bigint NOT NULL,
    ended bigint NOT NULL,
    collection bigint NOT NULL,
    item bigint NOT NULL,
    href text NOT NULL COLLATE pg_catalog."C",
    uid text NOT NULL COLLATE pg_catalog."C",
    component text NOT NULL COLLATE pg_catalog."C",
    etag text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    content_type text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    properties text DEFAULT '{}'::text NOT NULL COLLATE pg_catalog."C",
    since bigint NOT NULL,
    until bigint NOT NULL,
    reason text NOT NULL COLLATE pg_catalog."C",
    actor text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    octets bytea NOT NULL
);

CREATE TABLE public.second_factor (
    account bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    secret bytea NOT NULL,
    confirmed bigint DEFAULT '0'::bigint NOT NULL,
    last_step bigint DEFAULT '0'::bigint NOT NULL,
    failures bigint DEFAULT '0'::bigint NOT NULL,
    failed bigint DEFAULT '0'::bigint NOT NULL,
    created bigint NOT NULL
);

CREATE TABLE public.share (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    principal bigint NOT NULL,
    access text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL,
    modified bigint NOT NULL
);

CREATE TABLE public.throttle (
    key text NOT NULL COLLATE pg_catalog."C",
    failures bigint NOT NULL,
    last bigint NOT NULL,
    until bigint NOT NULL
);

CREATE TABLE public.tombstone (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    href text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    deleted bigint NOT NULL
);

CREATE TABLE public.trash (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    parent bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root bigint DEFAULT '0'::bigint NOT NULL,
    deleted bigint NOT NULL,
    actor text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.web_session (
    id bytea NOT NULL,
    account bigint NOT NULL,
    generation bigint NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    last_used bigint NOT NULL,
    address text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    client text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    data text DEFAULT '{}'::text NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);

INSERT INTO public.account VALUES (1, 1, 'Anna', 'anna', '$argon2id$v=19$m=19456,t=2,p=1$00S+7Z4IJlTFE9emj8npAg$lWn+0yQ+UdGjogIEB/Em+hb6uVrqm/4IjcIY/hRcVos', '', '', 'user', 0, 1, 1795427896);

INSERT INTO public.alembic_version VALUES ('0002');

INSERT INTO public.audit VALUES (1, 1795427896, 'user-added', 'Anna', '', '', '', '{"role": "user"}');

INSERT INTO public.body VALUES (1, 5, '\x424547494e3a5643414c454e4441520d0a56455253494f4e3a322e300d0a50524f4449443a2d2f2f746573742f2f0d0a424547494e3a564556454e540d0a5549443a6f6e650d0a44545354414d503a3230323630313031543030303030305a0d0a445453544152543a3230323630333031543130303030305a0d0a4454454e443a3230323630333031543131303030305a0d0a454e443a564556454e540d0a454e443a5643414c454e4441520d0a', '\x');
INSERT INTO public.body VALUES (1, 8, '\x424547494e3a56434152440d0a56455253494f4e3a332e300d0a5549443a63310d0a464e3a52656ec3a9650d0a4e3a52656ec3a9653b3b3b3b0d0a454e443a56434152440d0a', '\x');
INSERT INTO public.body VALUES (1, 10, '\x424547494e3a5643414c454e4441520d0a56455253494f4e3a322e300d0a50524f4449443a2d2f2f746573742f2f0d0a424547494e3a564556454e540d0a5549443a74776f0d0a44545354414d503a3230323630313031543030303030305a0d0a445453544152543a3230323630313032543039303030305a0d0a4454454e443a3230323630313032543130303030305a0d0a5252554c453a465245513d5745454b4c590d0a454e443a564556454e540d0a454e443a5643414c454e4441520d0a', '\x');

INSERT INTO public.card_field VALUES (1, 8, 0, 4, 'UID', 'c1');
INSERT INTO public.card_field VALUES (1, 8, 1, 4, 'FN', 'renée');
INSERT INTO public.card_field VALUES (1, 8, 2, 4, 'N', 'renée;;;;');

INSERT INTO public.collection VALUES (1, 4, 'addressbook', '', '{}', 9, 0, 1, 70, 1795427896, 1795427896);
INSERT INTO public.collection VALUES (1, 2, 'calendar', '', '{"{DAV:}displayname": "<displayname xmlns=\"DAV:\">Work</displayname>"}', 10, 0, 2, 367, 1795427896, 1795427896);

INSERT INTO public.credential VALUES ('text''s', 7, 'text''s', 'text''s', '\x006f6374657473', 'text''s', 7, 7, 7, 7, 'text''s', 'text''s', 7);

INSERT INTO public.dead_property VALUES (1, 8, '{urn:x}note', '<note xmlns=''urn:x''>n</note>');

INSERT INTO public.external_identity VALUES ('text''s', 'text''s', 7, 7);

INSERT INTO public.item VALUES (1, 2, 5, 'one.ics', 'one.ics', 'one', 'one', 3, 'VEVENT', 'fb3443e92bdfaed7c124016c936742de28299ad5702bd4e280987f707a33fc45', 174, 1772359200, 1772362800, 0, 0, 0, 'BUSY', '', NULL, '', 5, 1795427896, 1795427896, 1);
INSERT INTO public.item VALUES (1, 4, 8, 'c1.vcf', 'c1.vcf', 'c1', 'c1', 2, 'VCARD', 'c7f736b86ebe85b36af063add6d0f4959a002f948669ab9612463e087de66f33', 70, -4611686018427387904, 4611686018427387904, NULL, 0, 0, '', '', NULL, '', 9, 1795427896, 1795427896, 1);
INSERT INTO public.item VALUES (1, 2, 10, 'two.ics', 'two.ics', 'two', 'two', 3, 'VEVENT', 'ca7db516b19c06579a69c3b134a37b93156dc0c7c0e39abcb699a3dc0cbc2176', 193, 1767344400, 4611686018427387904, 6, 1, 0, 'BUSY', '', NULL, '', 10, 1795427896, 1795427896, 1);

INSERT INTO public.job VALUES (7, 'text''s', 'text''s', 7, 'text''s', 7, 7, 7, 7, 7, 'text''s', 7, 'text''s');

INSERT INTO public.lease VALUES ('text''s', 'text''s', 7, 7);

INSERT INTO public.lock VALUES (7, 'text''s', 'text''s', 'text''s', 'text''s', 'text''s', 7, 7, 7);

INSERT INTO public.login_flow VALUES ('\x006f6374657473', '\x006f6374657473', 7, 7, 'text''s', 'text''s', 7, 7, 'text''s');

INSERT INTO public.membership VALUES (7, 'text''s', 'text''s');

INSERT INTO public.meta VALUES ('window', '\x313733303736343830302031383835353933363030203120312030');
INSERT INTO public.meta VALUES ('counter:principal', '\x31');
INSERT INTO public.meta VALUES ('secret:credential', '\x6832ebddd328579773e82abe548011314d77d9d4294471916fefb7ac9aa7ee37');
INSERT INTO public.meta VALUES ('counter:account', '\x31');

INSERT INTO public.mount VALUES (1, 0, 'work', 'work', 1, 2, 2, 0, NULL, NULL);
INSERT INTO public.mount VALUES (1, 0, 'book', 'book', 1, 4, 4, 0, NULL, NULL);

INSERT INTO public.occurrence VALUES (1, 2, 319, 10, '\x100e000010e9330090233d00105e460090984f00');
INSERT INTO public.occurrence VALUES (1, 2, 320, 10, '\x100e00001073040090ad0d0010e8160090222000105d29009097320010d23b00900c450010474e00');
INSERT INTO public.occurrence VALUES (1, 2, 321, 10, '\x100e000090210300105c0c009096150010d11e00900b28001046310090803a0010bb430090f54c00');
INSERT INTO public.occurrence VALUES (1, 2, 322, 10, '\x100e000010d00100900a0b0010451400907f1d0010ba260090f42f00102f39009069420010a44b00');
INSERT INTO public.occurrence VALUES (1, 2, 323, 10, '\x100e0000907e000010b9090090f31200102e1c009068250010a32e0090dd37001018410090524a00108d5300');
INSERT INTO public.occurrence VALUES (1, 2, 324, 10, '\x100e00009067080010a2110090dc1a001017240090512d00108c360090c63f0010014900903b5200');
INSERT INTO public.occurrence VALUES (1, 2, 325, 10, '\x100e00001016070090501000108b190090c5220010002c00903a350010753e0090af470010ea5000');
INSERT INTO public.occurrence VALUES (1, 2, 326, 10, '\x100e000090c4050010ff0e00903918001074210090ae2a0010e9330090233d00105e460090984f00');
INSERT INTO public.occurrence VALUES (1, 2, 327, 10, '\x100e00001073040090ad0d0010e8160090222000105d29009097320010d23b00900c450010474e00');
INSERT INTO public.occurrence VALUES (1, 2, 328, 10, '\x100e000090210300105c0c009096150010d11e00900b28001046310090803a0010bb430090f54c00');
INSERT INTO public.occurrence VALUES (1, 2, 329, 10, '\x100e000010d00100900a0b0010451400907f1d0010ba260090f42f00102f39009069420010a44b00');
INSERT INTO public.occurrence VALUES (1, 2, 330, 10, '\x100e0000907e000010b9090090f31200102e1c009068250010a32e0090dd37001018410090524a00108d5300');
INSERT INTO public.occurrence VALUES (1, 2, 331, 10, '\x100e00009067080010a2110090dc1a001017240090512d00108c360090c63f0010014900903b5200');
INSERT INTO public.occurrence VALUES (1, 2, 332, 10, '\x100e00001016070090501000108b190090c5220010002c00903a350010753e0090af470010ea5000');
INSERT INTO public.occurrence VALUES (1, 2, 333, 10, '\x100e000090c4050010ff0e00903918001074210090ae2a0010e9330090233d00105e460090984f00');
INSERT INTO public.occurrence VALUES (1, 2, 334, 10, '\x100e00001073040090ad0d0010e8160090222000105d29009097320010d23b00900c450010474e00');
INSERT INTO public.occurrence VALUES (1, 2, 335, 10, '\x100e000090210300105c0c009096150010d11e00900b28001046310090803a0010bb430090f54c00');
INSERT INTO public.occurrence VALUES (1, 2, 336, 10, '\x100e000010d00100900a0b0010451400907f1d0010ba260090f42f00102f39009069420010a44b00');
INSERT INTO public.occurrence VALUES (1, 2, 337, 10, '\x100e0000907e000010b9090090f31200102e1c009068250010a32e0090dd37001018410090524a00108d5300');
INSERT INTO public.occurrence VALUES (1, 2, 338, 10, '\x100e00009067080010a2110090dc1a001017240090512d00108c360090c63f0010014900903b5200');
INSERT INTO public.occurrence VALUES (1, 2, 339, 10, '\x100e00001016070090501000108b190090c5220010002c00903a350010753e0090af470010ea5000');
INSERT INTO public.occurrence VALUES (1, 2, 340, 10, '\x100e000090c4050010ff0e00903918001074210090ae2a0010e9330090233d00105e460090984f00');

INSERT INTO public.principal VALUES (1, 'Anna', 'anna', 'user', 10, '095863c053202413', 0, '{}', 1795427896, 1795427896);

INSERT INTO public.property_revision VALUES (1, 3, 2, '{}', 1795427896, 1795427896, '');

INSERT INTO public.quarantine VALUES (7, 7, 'text''s', 'text''s', 'text''s', 'text''s', 'text''s', 'text''s', 'text''s', 7, 7, 'text''s', '\x006f6374657473');

INSERT INTO public.quota VALUES (7, 7, 7, 7);

INSERT INTO public.recovery_code VALUES (7, '\x006f6374657473');

INSERT INTO public.revision VALUES (1, 7, 2, 6, 'three.ics', 'three', 'VEVENT', '76f58dc13122d628284f27a7448ff5331dc6b010af5786a8bf198de847a6279d', 176, '', '{}', 1795427896, 1795427896, 'deleted', '', '\x424547494e3a5643414c454e4441520d0a56455253494f4e3a322e300d0a50524f4449443a2d2f2f746573742f2f0d0a424547494e3a564556454e540d0a5549443a74687265650d0a44545354414d503a3230323630313031543030303030305a0d0a445453544152543a3230323630333031543130303030305a0d0a4454454e443a3230323630333031543131303030305a0d0a454e443a564556454e540d0a454e443a5643414c454e4441520d0a');

INSERT INTO public.second_factor VALUES (7, 'text''s', '\x006f6374657473', 7, 7, 7, 7, 7);

INSERT INTO public.share VALUES (7, 7, 7, 'text''s', 'text''s', 7, 7);

INSERT INTO public.throttle VALUES ('text''s', 7, 7, 7);

INSERT INTO public.tombstone VALUES (1, 2, 'three.ics', 'three.ics', 7, 1795427896);

INSERT INTO public.trash VALUES (7, 7, 7, 'text''s', 'text''s', 7, 7, 'text''s');

INSERT INTO public.web_session VALUES ('\x006f6374657473', 7, 7, 7, 7, 7, 'text''s', 'text''s', 'text''s');

SELECT pg_catalog.setval('public.audit_id_seq', 1, true);

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_key PRIMARY KEY (id);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_key PRIMARY KEY (id);

ALTER TABLE ONLY public.body
    ADD CONSTRAINT body_key PRIMARY KEY (owner, item);

ALTER TABLE ONLY public.calsync_preparing
    ADD CONSTRAINT calsync_preparing_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.card_field
    ADD CONSTRAINT card_field_key PRIMARY KEY (owner, item, place);

ALTER TABLE ONLY public.collection
    ADD CONSTRAINT collection_key PRIMARY KEY (owner, id);

ALTER TABLE ONLY public.credential
    ADD CONSTRAINT credential_key PRIMARY KEY (id);

ALTER TABLE ONLY public.dead_property
    ADD CONSTRAINT dead_property_key PRIMARY KEY (owner, item, name);

ALTER TABLE ONLY public.external_identity
    ADD CONSTRAINT external_identity_key PRIMARY KEY (issuer, subject);

ALTER TABLE ONLY public.item
    ADD CONSTRAINT item_key PRIMARY KEY (owner, collection, id);

ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_key PRIMARY KEY (id);

ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_key PRIMARY KEY (name);

ALTER TABLE ONLY public.lock
    ADD CONSTRAINT lock_key PRIMARY KEY (owner, token);

ALTER TABLE ONLY public.login_flow
    ADD CONSTRAINT login_flow_key PRIMARY KEY (id);

ALTER TABLE ONLY public.membership
    ADD CONSTRAINT membership_key PRIMARY KEY (account, name);

ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_key PRIMARY KEY (key);

ALTER TABLE ONLY public.mount
    ADD CONSTRAINT mount_key PRIMARY KEY (principal, parent, name);

ALTER TABLE ONLY public.occurrence
    ADD CONSTRAINT occurrence_key PRIMARY KEY (owner, collection, bucket, item);

ALTER TABLE ONLY public.principal
    ADD CONSTRAINT principal_key PRIMARY KEY (id);

ALTER TABLE ONLY public.property_revision
    ADD CONSTRAINT property_revision_key PRIMARY KEY (owner, ended);

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_key PRIMARY KEY (owner, id);

ALTER TABLE ONLY public.quota
    ADD CONSTRAINT quota_key PRIMARY KEY (principal);

ALTER TABLE ONLY public.recovery_code
    ADD CONSTRAINT recovery_code_key PRIMARY KEY (account, hash);

ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_key PRIMARY KEY (owner, ended);

ALTER TABLE ONLY public.second_factor
    ADD CONSTRAINT second_factor_key PRIMARY KEY (account);

ALTER TABLE ONLY public.share
    ADD CONSTRAINT share_key PRIMARY KEY (owner, collection, principal);

ALTER TABLE ONLY public.throttle
    ADD CONSTRAINT throttle_key PRIMARY KEY (key);

ALTER TABLE ONLY public.tombstone
    ADD CONSTRAINT tombstone_key PRIMARY KEY (owner, collection, href);

ALTER TABLE ONLY public.trash
    ADD CONSTRAINT trash_key PRIMARY KEY (owner, collection);

ALTER TABLE ONLY public.web_session
    ADD CONSTRAINT web_session_key PRIMARY KEY (id);

CREATE UNIQUE INDEX account_name ON public.account USING btree (name_key);

CREATE UNIQUE INDEX account_principal ON public.account USING btree (principal);

CREATE INDEX audit_account ON public.audit USING btree (account, at);

CREATE INDEX audit_at ON public.audit USING btree (at);

CREATE INDEX card_field_value ON public.card_field USING btree (owner, collection, name, value, item);

CREATE INDEX credential_account ON public.credential USING btree (account);

CREATE INDEX external_identity_account ON public.external_identity USING btree (account);

CREATE INDEX item_delta_including ON public.item USING btree (owner, collection, seq) INCLUDE (id, url, etag, component, size, created, modified, content_type);

CREATE UNIQUE INDEX item_href ON public.item USING btree (owner, collection, href);

CREATE INDEX item_time ON public.item USING btree (owner, collection, component, span, first, last) WHERE (span IS NOT NULL);

CREATE INDEX item_uid ON public.item USING btree (owner, uid_key, collection);

CREATE INDEX item_uid_length ON public.item USING btree (owner, collection, uid_length);

CREATE INDEX job_due ON public.job USING btree (dead, due);

CREATE INDEX job_topic ON public.job USING btree (owner, topic, number);

CREATE INDEX lock_url ON public.lock USING btree (owner, url);

CREATE UNIQUE INDEX login_flow_poll ON public.login_flow USING btree (poll);

CREATE INDEX membership_name ON public.membership USING btree (name);

CREATE INDEX mount_collection ON public.mount USING btree (owner, collection);

CREATE INDEX occurrence_item ON public.occurrence USING btree (owner, item);

CREATE UNIQUE INDEX principal_name ON public.principal USING btree (name_key);

CREATE INDEX property_revision_collection ON public.property_revision USING btree (owner, collection);

CREATE INDEX quarantine_age ON public.quarantine USING btree (owner, received, id, size);

CREATE UNIQUE INDEX quarantine_digest ON public.quarantine USING btree (owner, target, digest);

CREATE INDEX revision_item ON public.revision USING btree (owner, item);

CREATE INDEX revision_place ON public.revision USING btree (owner, collection, href, ended);

CREATE INDEX revision_until ON public.revision USING btree (owner, until, size);

CREATE INDEX share_principal ON public.share USING btree (principal);

CREATE INDEX throttle_last ON public.throttle USING btree (last);

CREATE INDEX tombstone_delta ON public.tombstone USING btree (owner, collection, seq, url);

CREATE INDEX web_session_account ON public.web_session USING btree (account);

CREATE INDEX web_session_expires ON public.web_session USING btree (expires);

CREATE STATISTICS public.card_field_place (dependencies) ON owner, collection FROM public.card_field;

CREATE STATISTICS public.item_place (dependencies) ON owner, collection FROM public.item;

CREATE STATISTICS public.mount_place (dependencies) ON owner, collection FROM public.mount;

CREATE STATISTICS public.occurrence_place (dependencies) ON owner, collection FROM public.occurrence;

CREATE STATISTICS public.property_revision_place (dependencies) ON owner, collection FROM public.property_revision;

CREATE STATISTICS public.revision_place (dependencies) ON owner, collection FROM public.revision;

CREATE STATISTICS public.share_place (dependencies) ON owner, collection FROM public.share;

CREATE STATISTICS public.tombstone_place (dependencies) ON owner, collection FROM public.tombstone;

CREATE STATISTICS public.trash_place (dependencies) ON owner, collection FROM public.trash;
