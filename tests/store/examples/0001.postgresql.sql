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

CREATE TABLE public.share (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    principal bigint NOT NULL,
    access text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL,
    modified bigint NOT NULL
);

CREATE TABLE public.tombstone (
    owner bigint NOT NULL,
    collection bigint NOT NULL,
    href text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    deleted bigint NOT NULL
);

INSERT INTO public.account VALUES (1, 1, 'Anna', 'anna', '$argon2id$v=19$m=19456,t=2,p=1$vXvEFeWL1rerxIGAuvyCTA$XOKzvZe1zlNLpsYBmKYAi2RdbUQpr0tLl87/EOBr5cY', 'anna@example.org', '', 'user', 0, 1, 1795416138);

INSERT INTO public.alembic_version VALUES ('0001');

INSERT INTO public.body VALUES (1, 4, '\x424547494e3a5643414c454e4441520d0a56455253494f4e3a322e300d0a50524f4449443a2d2f2f6578616d706c652f2f454e0d0a424547494e3a564556454e540d0a5549443a6f6e650d0a44545354414d503a3230323630313031543030303030305a0d0a445453544152543a3230323631313032543039303030305a0d0a4454454e443a3230323631313032543130303030305a0d0a53554d4d4152593a6f6e650d0a454e443a564556454e540d0a454e443a5643414c454e4441520d0a', '\x');
INSERT INTO public.body VALUES (1, 5, '\x424547494e3a5643414c454e4441520d0a56455253494f4e3a322e300d0a50524f4449443a2d2f2f6578616d706c652f2f454e0d0a424547494e3a564556454e540d0a5549443a74776f0d0a44545354414d503a3230323630313031543030303030305a0d0a445453544152543a3230323631313032543039303030305a0d0a4454454e443a3230323631313032543130303030305a0d0a5252554c453a465245513d5745454b4c590d0a53554d4d4152593a74776f0d0a454e443a564556454e540d0a454e443a5643414c454e4441520d0a', '\x');
INSERT INTO public.body VALUES (1, 8, '\x424547494e3a56434152440d0a56455253494f4e3a332e300d0a5549443a63310d0a464e3a52656ec3a9650d0a4e3a52656ec3a9653b3b3b3b0d0a454e443a56434152440d0a', '\x');

INSERT INTO public.card_field VALUES (1, 8, 1, 3, 'FN', 'renée');
INSERT INTO public.card_field VALUES (1, 8, 2, 3, 'N', 'renée;;;;');
INSERT INTO public.card_field VALUES (1, 8, 0, 3, 'UID', 'c1');

INSERT INTO public.collection VALUES (1, 2, 'calendar', 'VEVENT', '{"{DAV:}displayname": "<displayname xmlns=\"DAV:\">Work</displayname>"}', 7, 0, 2, 403, 1795416138, 1795416138);
INSERT INTO public.collection VALUES (1, 3, 'addressbook', '', '{}', 9, 0, 1, 70, 1795416138, 1795416138);

INSERT INTO public.dead_property VALUES (1, 8, '{urn:x}note', '<note xmlns="urn:x">n</note>');

INSERT INTO public.item VALUES (1, 2, 4, 'one.ics', 'one.ics', 'one', 'one', 3, 'VEVENT', '78b3645fb833e682f8aa701a9ec65247b308b12c2329ab598e25a16b5e5d2fb8', 192, 1793610000, 1793613600, 0, 0, 0, 'BUSY', '', NULL, '', 4, 1795416138, 1795416138, 1);
INSERT INTO public.item VALUES (1, 2, 5, 'two.ics', 'two.ics', 'two', 'two', 3, 'VEVENT', '088e25189881f1df5772415f0ad594094241eadb0f0bcec6c96d32fde4ef5979', 211, 1793610000, 4611686018427387904, 6, 1, 0, 'BUSY', '', NULL, '', 5, 1795416138, 1795416138, 1);
INSERT INTO public.item VALUES (1, 3, 8, 'c1.vcf', 'c1.vcf', 'c1', 'c1', 2, 'VCARD', 'c7f736b86ebe85b36af063add6d0f4959a002f948669ab9612463e087de66f33', 70, -4611686018427387904, 4611686018427387904, NULL, 0, 0, '', '', NULL, '', 9, 1795416138, 1795416138, 1);

INSERT INTO public.meta VALUES ('window', '\x31373330373634383030203138383535393336303020312031');
INSERT INTO public.meta VALUES ('secret:credential', '\x20cebd018a0a4c4cc83aef5a0f72a95e288408b725cf565379a161522d9913aa');
INSERT INTO public.meta VALUES ('counter:principal', '\x31');
INSERT INTO public.meta VALUES ('counter:account', '\x31');

INSERT INTO public.mount VALUES (1, 0, 'book', 'book', 1, 3, 3, 0, NULL, NULL);
INSERT INTO public.mount VALUES (1, 0, 'work', 'work', 1, 2, 2, 0, NULL, NULL);

INSERT INTO public.occurrence VALUES (1, 2, 324, 5, '\x100e000010d11e00900b28001046310090803a0010bb430090f54c00');
INSERT INTO public.occurrence VALUES (1, 2, 325, 5, '\x100e000010d00100900a0b0010451400907f1d0010ba260090f42f00102f39009069420010a44b00');
INSERT INTO public.occurrence VALUES (1, 2, 326, 5, '\x100e0000907e000010b9090090f31200102e1c009068250010a32e0090dd37001018410090524a00108d5300');
INSERT INTO public.occurrence VALUES (1, 2, 327, 5, '\x100e00009067080010a2110090dc1a001017240090512d00108c360090c63f0010014900903b5200');
INSERT INTO public.occurrence VALUES (1, 2, 328, 5, '\x100e00001016070090501000108b190090c5220010002c00903a350010753e0090af470010ea5000');
INSERT INTO public.occurrence VALUES (1, 2, 329, 5, '\x100e000090c4050010ff0e00903918001074210090ae2a0010e9330090233d00105e460090984f00');
INSERT INTO public.occurrence VALUES (1, 2, 330, 5, '\x100e00001073040090ad0d0010e8160090222000105d29009097320010d23b00900c450010474e00');
INSERT INTO public.occurrence VALUES (1, 2, 331, 5, '\x100e000090210300105c0c009096150010d11e00900b28001046310090803a0010bb430090f54c00');
INSERT INTO public.occurrence VALUES (1, 2, 332, 5, '\x100e000010d00100900a0b0010451400907f1d0010ba260090f42f00102f39009069420010a44b00');
INSERT INTO public.occurrence VALUES (1, 2, 333, 5, '\x100e0000907e000010b9090090f31200102e1c009068250010a32e0090dd37001018410090524a00108d5300');
INSERT INTO public.occurrence VALUES (1, 2, 334, 5, '\x100e00009067080010a2110090dc1a001017240090512d00108c360090c63f0010014900903b5200');
INSERT INTO public.occurrence VALUES (1, 2, 335, 5, '\x100e00001016070090501000108b190090c5220010002c00903a350010753e0090af470010ea5000');
INSERT INTO public.occurrence VALUES (1, 2, 336, 5, '\x100e000090c4050010ff0e00903918001074210090ae2a0010e9330090233d00105e460090984f00');
INSERT INTO public.occurrence VALUES (1, 2, 337, 5, '\x100e00001073040090ad0d0010e8160090222000105d29009097320010d23b00900c450010474e00');
INSERT INTO public.occurrence VALUES (1, 2, 338, 5, '\x100e000090210300105c0c009096150010d11e00900b28001046310090803a0010bb430090f54c00');
INSERT INTO public.occurrence VALUES (1, 2, 339, 5, '\x100e000010d00100900a0b0010451400907f1d0010ba260090f42f00102f39009069420010a44b00');
INSERT INTO public.occurrence VALUES (1, 2, 340, 5, '\x100e0000907e000010b9090090f31200102e1c009068250010a32e0090dd37001018410090524a00108d5300');

INSERT INTO public.principal VALUES (1, 'Anna', 'anna', 'user', 9, '86abc5a0433c8704', 0, '{}', 1795416138, 1795416138);

INSERT INTO public.tombstone VALUES (1, 2, 'three.ics', 'three.ics', 7, 1795416138);

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_key PRIMARY KEY (id);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

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

ALTER TABLE ONLY public.item
    ADD CONSTRAINT item_key PRIMARY KEY (owner, collection, id);

ALTER TABLE ONLY public.lock
    ADD CONSTRAINT lock_key PRIMARY KEY (owner, token);

ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_key PRIMARY KEY (key);

ALTER TABLE ONLY public.mount
    ADD CONSTRAINT mount_key PRIMARY KEY (principal, parent, name);

ALTER TABLE ONLY public.occurrence
    ADD CONSTRAINT occurrence_key PRIMARY KEY (owner, collection, bucket, item);

ALTER TABLE ONLY public.principal
    ADD CONSTRAINT principal_key PRIMARY KEY (id);

ALTER TABLE ONLY public.share
    ADD CONSTRAINT share_key PRIMARY KEY (owner, collection, principal);

ALTER TABLE ONLY public.tombstone
    ADD CONSTRAINT tombstone_key PRIMARY KEY (owner, collection, href);

CREATE UNIQUE INDEX account_name ON public.account USING btree (name_key);

CREATE UNIQUE INDEX account_principal ON public.account USING btree (principal);

CREATE INDEX card_field_value ON public.card_field USING btree (owner, collection, name, value, item);

CREATE INDEX credential_account ON public.credential USING btree (account);

CREATE INDEX item_delta_including ON public.item USING btree (owner, collection, seq) INCLUDE (id, url, etag, component, size, created, modified, content_type);

CREATE UNIQUE INDEX item_href ON public.item USING btree (owner, collection, href);

CREATE INDEX item_time ON public.item USING btree (owner, collection, component, span, first, last) WHERE (span IS NOT NULL);

CREATE INDEX item_uid ON public.item USING btree (owner, uid_key, collection);

CREATE INDEX item_uid_length ON public.item USING btree (owner, collection, uid_length);

CREATE INDEX lock_url ON public.lock USING btree (owner, url);

CREATE INDEX mount_collection ON public.mount USING btree (owner, collection);

CREATE INDEX occurrence_item ON public.occurrence USING btree (owner, item);

CREATE UNIQUE INDEX principal_name ON public.principal USING btree (name_key);

CREATE INDEX share_principal ON public.share USING btree (principal);

CREATE INDEX tombstone_delta ON public.tombstone USING btree (owner, collection, seq, url);
