"""The built-in redaction profiles, in the shape that a company's own profile has in TOML (see `redaction_profile`).

A name that starts with `*` is also one at the end of a longer name: `*password` is `userPassword`, too.
"""

from __future__ import annotations

from typing import Any


def _words(names: str) -> list[str]:
    return names.split()


NONE: dict[str, Any] = {}

SECRETS: dict[str, Any] = {
    "fields": [
        {
            "names": _words(
                "*password *passwd *passphrase *passcode *pwd *secret *secretKey *token *tokenSecret *apiKey "
                "*accessKey *privateKey *signingKey *encryptionKey *authorization *cookie *cookies *sessionId "
                "*sessionKey *credential *credentials *securityCode *signature *oneTimePassword *oneTimeCode "
                "*clientAssertion *codeVerifier sid auth otp totp mfaCode pin cvv cvc sig bearer jwt"
            ),
        }
    ],
    "patterns": [
        {
            "name": "API key",
            "pattern": r"sk_(?:live|test)_(?:(?!sk_)[0-9A-Za-z]){5,}",
            "contains": ["sk_live_", "sk_test_"],
        },
        {
            "name": "authorization header",
            "pattern": (
                r"(?im:(?:^[ \t]*|(?P<quote>[\"']))"
                r"(?:proxy-authorization|authorization|(?:set-)?cookie|x-api-key|x-auth-token):)[ \t]*+"
                r"(?P<value>(?!(?i:bearer[ \t]+)?sk_(?:live|test)_…[0-9A-Za-z]{0,4}[ \t]*(?:[\"'\r\n]|\Z))"
                r"(?(quote)[^\"'\r\n]+|[^\r\n]+))"
            ),
            "contains": [
                "uthorization:",
                "UTHORIZATION:",
                "ookie:",
                "OOKIE:",
                "pi-key:",
                "pi-Key:",
                "PI-K",
                "uth-token:",
                "uth-Token:",
            ],
        },
        {
            "name": "bearer token",
            "pattern": r"\b(?i:bearer)[ \t]+(?P<value>(?!sk_(?:live|test)_…)[0-9A-Za-z._~+/-]{8,}=*)",
            "contains": ["bearer", "Bearer", "BEARER"],
        },
        {
            "name": "basic credentials",
            "pattern": r"\b(?i:basic)[ \t]+(?P<value>(?=[a-z]*[0-9A-Z=])[0-9A-Za-z+/_-]{8,}={0,2})",
            "contains": ["basic", "Basic", "BASIC"],
        },
        {
            "name": "JSON web token",
            "pattern": r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{5,}\.[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]*){0,3}",
            "contains": ["eyJ"],
        },
        {
            "name": "private key",
            "pattern": r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[^-]*(?:-----END [A-Z ]{0,60}-----)?",
            "contains": ["PRIVATE KEY"],
        },
        {
            "name": "cloud key",
            "pattern": (
                r"(?<![0-9A-Za-z])(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])|AIza[0-9A-Za-z_-]{30,}"
                r"|ya29\.[0-9A-Za-z_-]{10,}|GOCSPX-[0-9A-Za-z_-]{10,})"
            ),
            "contains": ["AKIA", "ASIA", "AIza", "ya29.", "GOCSPX-"],
        },
        {
            "name": "service token",
            "pattern": (
                r"(?<![0-9A-Za-z])(?:gh[opusr]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,}|glpat-[0-9A-Za-z_-]{20,}"
                r"|xox[a-z]-[0-9A-Za-z-]{10,}|(?:rk_live|rk_test|pk_live|whsec)_[0-9A-Za-z]{10,})"
            ),
            "contains": [
                "gho_",
                "ghp_",
                "ghu_",
                "ghs_",
                "ghr_",
                "github_pat_",
                "glpat-",
                "xox",
                "k_live_",
                "k_test_",
                "whsec_",
            ],
        },
        {
            "name": "credentials of a command",
            "pattern": (
                r"(?<!\S)(?:-[uU]|--(?:proxy-)?user(?=[ =]))[ =]?(?P<quote>[\"'])?[^\s:\"'/]*:"
                r"(?P<value>(?!//)(?(quote)[^\"'\r\n]+|[^\s\"']+))"
            ),
            "contains": ["curl "],
        },
        {
            "name": "password in a URL",
            "pattern": r"://[^\s/?#@:]*:(?P<value>[^\s/?#@]+)@",
            "hint": "://[^\\s/?#@:]*:[^\\s/?#@]+@",
        },
    ],
    "keep": _words("pageToken nextPageToken prevPageToken previousPageToken nextToken continuationToken syncToken"),
}

_NUMBERS = (
    r"[0-9](?<!\w[0-9])(?<![0-9A-Fa-f]{4}-[0-9])(?<![0-9]\.[0-9])(?![0-9]{3}-[0-9]{2}-[0-9]{2}(?![0-9-])|[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9.]))"
    r"[ ().0-9/\xa0\u2007\u2009\u202f\u2010\u2011\u2013-]{5,}[0-9]"
)
"""Telephone and card numbers begin so: a run of digits and separators, but not a date or an IPv4 address."""

_GAP = r" .\xa0\u2007\u2009\u202f\u2010\u2011\u2013-"
"""What stands between the digits of a telephone number: spaces that do not break, and hyphens, among them."""

_APART = r"[ \xa0\u202f][/-][ \xa0\u202f]"

_IBAN = r"[0-9](?<=[A-Za-z][A-Za-z][0-9])(?<![\w-][A-Za-z][A-Za-z][0-9])[0-9][ -]?[0-9A-Za-z]{4}"

PERSONAL: dict[str, Any] = {
    "extends": "secrets",
    "fields": [
        {
            "label": "person",
            "names": _words(
                "*email *emailAddress *emails mail *userName login *userEmail candidate_email recipient recipients "
                "skype twitter facebook instagram xing telegram whatsapp socialProfiles handle"
            ),
        },
        {
            "label": "name",
            "names": _words(
                "name *firstName *lastName *middleName *fullName *displayName *givenName *familyName *surname "
                "*maidenName *birthName *preferredName *legalName *nickname forename candidateName applicantName "
                "contactName personName employeeName recruiterName managerName ownerName authorName holderName "
                "accountHolder initials salutation honorific"
            ),
        },
        {
            "label": "phone",
            "names": _words(
                "*phone *phones *phoneNumber *phoneNumbers *mobile *mobileNumber *telephone *cellphone tel fax "
                "faxNumber"
            ),
        },
        {
            "label": "birth",
            "names": _words(
                "*dateOfBirth dob *birthDate *birthday *birthplace *placeOfBirth yearOfBirth birthYear age"
            ),
        },
        {
            "label": "address",
            "names": _words(
                "address addresses *homeAddress *postalAddress *mailingAddress *streetAddress *billingAddress "
                "*shippingAddress *currentAddress *permanentAddress addressLine street streetName houseNumber "
                "*postalCode *postCode *zipCode zip city hometown latitude longitude geolocation"
            ),
        },
        {
            "label": "trait",
            "names": _words(
                "gender sex pronouns *nationality citizenship citizenships *maritalStatus ethnicity race religion "
                "disability disabilities veteranStatus sexualOrientation politicalAffiliation bloodType "
                "workAuthorization visaStatus"
            ),
        },
        {
            "label": "document",
            "names": _words(
                "*resume *resumes *resumeUrl *resumeText cv cvUrl cvText *coverLetter *coverLetterUrl coverLetterText "
                "*fileName attachment attachments photo *photoUrl picture pictureUrl *avatar *avatarUrl portrait "
                "notes note bio biography aboutMe"
            ),
        },
        {
            "label": "link",
            "names": _words(
                "*linkedin *linkedinUrl *linkedinProfile github githubUrl gitlab portfolio portfolioUrl website "
                "websiteUrl websites homepage blog *profileUrl socialUrl xingUrl"
            ),
        },
        {
            "label": "identity",
            "names": _words(
                "ssn *socialSecurityNumber *nationalId *nationalIdNumber nationalInsuranceNumber *passport "
                "*passportNumber *taxId *taxNumber tin idNumber identityNumber driversLicense driverLicense "
                "driverLicenseNumber"
            ),
        },
        {"label": "payment", "names": _words("*cardNumber creditCard pan")},
        {
            "label": "account",
            "names": _words("*iban *bankAccount *bankAccountNumber accountNumber sortCode routingNumber bic swift"),
        },
        {"label": "salary", "names": _words("*currentSalary *expectedSalary *desiredSalary *salaryExpectation")},
    ],
    "parameters": [{"label": "search", "names": _words("search q query keyword keywords term")}],
    "paths": [{"path": "$..candidate.location", "label": "address"}],
    "patterns": [
        {
            "name": "e-mail address",
            "label": "person",
            "pattern": (
                r"(?:(?<![^\s@\uff20\ufe6b,;:<>()\[\]{}\"=&?/\\|])[^\s@\uff20\ufe6b,;:<>()\[\]{}\"=&?/\\|]++"
                r"|\"[^\"@\r\n]{1,64}\")(?:[@\uff20\ufe6b]|&#(?:0{0,4}64|[xX]0{0,4}40);|&commat;)"
                r"(?:[\w\u0300-\u036f-]++(?:\.[\w\u0300-\u036f-]++)+|\[[0-9A-Fa-f:.]{2,45}\])"
            ),
            "check": "email",
            "contains": ["@", "\uff20", "\ufe6b", "&#", "&commat;"],
        },
        {
            "name": "IBAN",
            "label": "account",
            "pattern": r"(?<![\w-])[A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]){11,30}(?!\w)",
            "check": "iban",
            "hint": _IBAN,
        },
        {
            "name": "telephone number",
            "label": "phone",
            "pattern": (
                rf"(?<![\w+])[+\uff0b][1-9](?:(?:{_APART}|[()/{_GAP}]{{0,2}})[0-9]){{6,14}}(?![^\W_]|-)"
                r"|(?<![\w+.-])(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}(?![\w-]|\.[0-9])"
                r"|(?<![\w+.-])00[1-9][0-9]{8,13}(?![\w-]|\.[0-9])"
                rf"|(?<![\w+.-])(?:00 ?[1-9]|\(?0)[0-9]{{1,4}}\)?"
                rf"(?:(?:(?:(?<=[0-9]{{3}})|(?<=[0-9]{{3}}\))){_APART}|[/{_GAP}])[0-9]{{2,8}}){{1,5}}"
                r"(?![\w-]|\.[0-9])"
            ),
            "check": "telephone",
            "hint": _NUMBERS,
        },
        {
            "name": "card number",
            "label": "payment",
            "pattern": r"(?<!\w)(?<![0-9A-Fa-f]{4}-)(?<![0-9]\.)(?=[2-6])[0-9]{4}(?:[ -]?[0-9]){9,15}(?!\w|\.[0-9])",
            "check": "card",
            "hint": _NUMBERS,
        },
    ],
    "messages": [
        "$.responsePayload.error.details",
        "$.responsePayload.error.errors",
        "$.responsePayload.details",
        "$.responsePayload.errors",
    ],
}

BUILT_IN: dict[str, dict[str, Any]] = {"none": NONE, "secrets": SECRETS, "personal": PERSONAL}
"""By name, from the least to the most that is hidden."""
