"""Every precondition and postcondition a `D:error` body can name, once (RFC 4918 §16)."""

from __future__ import annotations

from typing import Final

from calsync.webdav.names import CR, ME_, C, D

# --- WebDAV -----------------------------------------------------------------------------------------------------------

# RFC 4918 §16
LOCK_TOKEN_MATCHES_REQUEST_URI: Final = D("lock-token-matches-request-uri")
LOCK_TOKEN_SUBMITTED: Final = D("lock-token-submitted")  # holds the locked resource's href
NO_CONFLICTING_LOCK: Final = D("no-conflicting-lock")  # may hold the href of the lock's root
NO_EXTERNAL_ENTITIES: Final = D("no-external-entities")
PRESERVED_LIVE_PROPERTIES: Final = D("preserved-live-properties")
PROPFIND_FINITE_DEPTH: Final = D("propfind-finite-depth")
CANNOT_MODIFY_PROTECTED_PROPERTY: Final = D("cannot-modify-protected-property")

# RFC 3253 §3.6 (REPORT), §1.6 and §4.2 (creation where something is already)
SUPPORTED_REPORT: Final = D("supported-report")
RESOURCE_MUST_BE_NULL: Final = D("resource-must-be-null")

# RFC 3744 §7.1.1
NEED_PRIVILEGES: Final = D("need-privileges")  # holds D:resource elements
# RFC 3744 §8.1.1
NO_ACE_CONFLICT: Final = D("no-ace-conflict")
NO_PROTECTED_ACE_CONFLICT: Final = D("no-protected-ace-conflict")
NO_INHERITED_ACE_CONFLICT: Final = D("no-inherited-ace-conflict")
LIMITED_NUMBER_OF_ACES: Final = D("limited-number-of-aces")
DENY_BEFORE_GRANT: Final = D("deny-before-grant")
GRANT_ONLY: Final = D("grant-only")
NO_INVERT: Final = D("no-invert")
NO_ABSTRACT: Final = D("no-abstract")
NOT_SUPPORTED_PRIVILEGE: Final = D("not-supported-privilege")
MISSING_REQUIRED_PRINCIPAL: Final = D("missing-required-principal")
RECOGNIZED_PRINCIPAL: Final = D("recognized-principal")
ALLOWED_PRINCIPAL: Final = D("allowed-principal")
# RFC 3744 §9.2 to §9.4, RFC 4791 §7.8 to §7.10, RFC 6352 §8.6, RFC 6578 §3.2
NUMBER_OF_MATCHES_WITHIN_LIMITS: Final = D("number-of-matches-within-limits")

# RFC 4331 §6
QUOTA_NOT_EXCEEDED: Final = D("quota-not-exceeded")
SUFFICIENT_DISK_SPACE: Final = D("sufficient-disk-space")

# RFC 5689 §3.3
VALID_RESOURCETYPE: Final = D("valid-resourcetype")

# RFC 5995 §4.1
ALLOW_CLIENT_DEFINED_URI: Final = D("allow-client-defined-uri")

# RFC 6578 §3.2, §3.3
VALID_SYNC_TOKEN: Final = D("valid-sync-token")
SYNC_TRAVERSAL_SUPPORTED: Final = D("sync-traversal-supported")

# --- CalDAV -----------------------------------------------------------------------------------------------------------

# RFC 4791 §5.3.1 (MKCALENDAR)
CALENDAR_COLLECTION_LOCATION_OK: Final = C("calendar-collection-location-ok")
INITIALIZE_CALENDAR_COLLECTION: Final = C("initialize-calendar-collection")
# RFC 4791 §5.3.2.1 (PUT, COPY, MOVE)
SUPPORTED_CALENDAR_DATA: Final = C("supported-calendar-data")
VALID_CALENDAR_DATA: Final = C("valid-calendar-data")
VALID_CALENDAR_OBJECT_RESOURCE: Final = C("valid-calendar-object-resource")
SUPPORTED_CALENDAR_COMPONENT: Final = C("supported-calendar-component")
NO_UID_CONFLICT_CALENDAR: Final = C("no-uid-conflict")  # holds the href of the other object
MAX_RESOURCE_SIZE_CALENDAR: Final = C("max-resource-size")
MIN_DATE_TIME: Final = C("min-date-time")
MAX_DATE_TIME: Final = C("max-date-time")
MAX_INSTANCES: Final = C("max-instances")
MAX_ATTENDEES_PER_INSTANCE: Final = C("max-attendees-per-instance")
# RFC 4791 §7.8
VALID_FILTER: Final = C("valid-filter")
SUPPORTED_FILTER_CALENDAR: Final = C("supported-filter")  # holds the filter that is not supported
# RFC 4791 §7.5.1
SUPPORTED_COLLATION_CALENDAR: Final = C("supported-collation")

# RFC 7529 §8
SUPPORTED_RSCALE: Final = C("supported-rscale")

# RFC 7809 §3.1.5, §3.1.6
VALID_TIMEZONE: Final = C("valid-timezone")

# RFC 6638 §3.2.4
UNIQUE_SCHEDULING_OBJECT_RESOURCE: Final = C("unique-scheduling-object-resource")
SAME_ORGANIZER_IN_ALL_COMPONENTS: Final = C("same-organizer-in-all-components")
ALLOWED_ORGANIZER_SCHEDULING_OBJECT_CHANGE: Final = C("allowed-organizer-scheduling-object-change")
ALLOWED_ATTENDEE_SCHEDULING_OBJECT_CHANGE: Final = C("allowed-attendee-scheduling-object-change")
# RFC 6638 §4.3
DEFAULT_CALENDAR_NEEDED: Final = C("default-calendar-needed")
VALID_SCHEDULE_DEFAULT_CALENDAR_URL: Final = C("valid-schedule-default-calendar-URL")
# RFC 6638 §5 (POST to the outbox)
VALID_SCHEDULING_MESSAGE: Final = C("valid-scheduling-message")
VALID_ORGANIZER: Final = C("valid-organizer")

# RFC 8607 §3.11
VALID_ACTION: Final = C("valid-action")
VALID_RID: Final = C("valid-rid")
VALID_MANAGED_ID: Final = C("valid-managed-id")
MAX_ATTACHMENT_SIZE: Final = C("max-attachment-size")
MAX_ATTACHMENTS_PER_RESOURCE: Final = C("max-attachments-per-resource")

# --- CardDAV ----------------------------------------------------------------------------------------------------------

# RFC 6352 §6.3.2.1 (PUT, COPY, MOVE)
SUPPORTED_ADDRESS_DATA: Final = CR("supported-address-data")
VALID_ADDRESS_DATA: Final = CR("valid-address-data")
NO_UID_CONFLICT_CARD: Final = CR("no-uid-conflict")  # holds the href of the other card
ADDRESSBOOK_COLLECTION_LOCATION_OK: Final = CR("addressbook-collection-location-ok")
MAX_RESOURCE_SIZE_CARD: Final = CR("max-resource-size")
# RFC 6352 §5.1.1.1 (GET)
SUPPORTED_ADDRESS_DATA_CONVERSION: Final = CR("supported-address-data-conversion")
# RFC 6352 §8.6
SUPPORTED_FILTER_CARD: Final = CR("supported-filter")  # holds the filter that is not supported
# RFC 6352 §8.3.1
SUPPORTED_COLLATION_CARD: Final = CR("supported-collation")

# --- Apple's bulk requests --------------------------------------------------------------------------------------------

CTAG_OK: Final = ME_("ctag-ok")
MAX_RESOURCES: Final = ME_("max-resources")
