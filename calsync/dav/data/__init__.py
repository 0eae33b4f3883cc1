"""The text of an object as a report gives it: whole, in part, expanded, or as the other version of vCard.

`calendar_data` and `address_data` answer the elements of these names (RFC 4791 §9.6, RFC 6352 §10.4). `convert` turns
vCard 3.0 (RFC 2426) into 4.0 (RFC 6350) and back: `version4` and `version3` know the properties, `media` and `moments`
the values that are written in two ways, `drafts` how a line is rewritten. A line that says the same in both versions is
given octet for octet, and what one version cannot say is kept under an X- name, so that the way back loses nothing.
"""
