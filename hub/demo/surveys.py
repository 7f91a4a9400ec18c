"""What was asked: the definitions of the three surveys, as the tools' APIs give them."""

from typing import TypeAlias

Json: TypeAlias = dict[str, object]

PULSE, ONBOARDING, IN_APP = "northwind-pulse", "northwind-onboarding", "northwind-in-app"

# Labels in the three languages of the survey. The option ids stay, whatever language an answer came in.
ROLES = {
    "role_pm": ("Product manager", "Produktmanagement", "Chef de produit"),
    "role_eng": ("Engineer", "Entwicklung", "Développement"),
    "role_cs": ("Customer success", "Kundenbetreuung", "Relation client"),
    "role_ops": ("Operations", "Betrieb", "Opérations"),
}
FEATURES = {
    "feat_dash": ("Dashboards", "Dashboards", "Tableaux de bord"),
    "feat_alert": ("Alerts", "Benachrichtigungen", "Alertes"),
    "feat_export": ("Exports", "Exporte", "Exports"),
    "feat_api": ("API", "API", "API"),
    "feat_slack": ("Slack digest", "Slack-Zusammenfassung", "Résumé Slack"),
}
AREAS = {
    "area_speed": ("Speed", "Geschwindigkeit", "Rapidité"),
    "area_reliability": ("Reliability", "Zuverlässigkeit", "Fiabilité"),
    "area_docs": ("Documentation", "Dokumentation", "Documentation"),
}
GRADES = {
    "grade_poor": ("Poor", "Schlecht", "Mauvais"),
    "grade_ok": ("OK", "In Ordnung", "Correct"),
    "grade_great": ("Great", "Sehr gut", "Très bien"),
}
ROADMAP = {
    "road_mobile": ("Mobile app", "Mobile App", "Application mobile"),
    "road_sso": ("Single sign-on", "Single Sign-on", "Authentification unique"),
    "road_audit": ("Audit log", "Audit-Log", "Journal d'audit"),
    "road_dark": ("Dark mode", "Dunkelmodus", "Mode sombre"),
}
LANGUAGES = ("en", "de", "fr")

CHANNELS = ("A colleague", "Web search", "A conference", "An article")


def _translated(labels: tuple[str, str, str]) -> Json:
    return {"default": labels[0], "de": labels[1], "fr": labels[2]}


def _listed(options: dict[str, tuple[str, str, str]]) -> list[Json]:
    return [{"id": key, "label": _translated(labels)} for key, labels in options.items()]


def _question(key: str, kind: str, headline: tuple[str, str, str], **more: object) -> Json:
    return {"id": key, "type": kind, "headline": _translated(headline), **more}


PULSE_SURVEY: Json = {
    "data": {
        "id": PULSE,
        "name": "Customer pulse",
        "languages": [{"code": "en", "default": True}, {"code": "de"}, {"code": "fr"}],
        "questions": [
            _question("nps", "nps", (
                "How likely are you to recommend Northwind to a colleague?",
                "Wie wahrscheinlich ist es, dass Sie Northwind weiterempfehlen?",
                "Recommanderiez-vous Northwind à un collègue ?",
            )),
            _question("reason", "openText", (
                "What is the main reason for your score?", "Was ist der Hauptgrund für Ihre Bewertung?",
                "Quelle est la raison principale de votre note ?",
            )),
            _question("support", "csat", (
                "How satisfied are you with our support?", "Wie zufrieden sind Sie mit unserem Support?",
                "Êtes-vous satisfait de notre support ?",
            ), range=5, scale="smiley"),
            _question("effort", "ces", (
                "Northwind makes it easy to get my work done.", "Northwind macht mir die Arbeit leicht.",
                "Northwind me facilite le travail.",
            ), range=7, scale="number"),
            _question("role", "multipleChoiceSingle", (
                "What is your role?", "Was ist Ihre Rolle?", "Quel est votre rôle ?"
            ), choices=_listed(ROLES)),
            _question("features", "multipleChoiceMulti", (
                "Which features do you use every week?", "Welche Funktionen nutzen Sie jede Woche?",
                "Quelles fonctions utilisez-vous chaque semaine ?",
            ), choices=_listed(FEATURES)),
            _question("areas", "matrix", (
                "How do you rate these areas?", "Wie bewerten Sie diese Bereiche?", "Comment évaluez-vous ces aspects ?"
            ), rows=_listed(AREAS), columns=_listed(GRADES)),
            _question("roadmap", "ranking", (
                "Rank what we should build next", "Was sollen wir als Nächstes bauen?", "Que devons-nous construire ensuite ?"
            ), choices=_listed(ROADMAP)),
        ],
    }
}  # fmt: skip

ONBOARDING_FORM: Json = {
    "id": ONBOARDING,
    "title": "After onboarding",
    "settings": {"language": "en"},
    "fields": [
        {"id": "onbRating000", "ref": "start", "type": "rating", "title": "How was your first week with Northwind?",
         "properties": {"shape": "star", "steps": 5}},
        {"id": "onbEffort000", "ref": "setup_effort", "type": "opinion_scale", "title": "Setting up our first dashboard was easy.",
         "properties": {"start_at_one": True, "steps": 7}},
        {"id": "onbChannel00", "ref": "channel", "type": "multiple_choice", "title": "How did you hear about us?",
         "properties": {"choices": [
             {"id": f"channel{n}", "ref": f"channel{n}", "label": label} for n, label in enumerate(CHANNELS)
         ]}},
        {"id": "onbGoal00000", "ref": "goal_reached", "type": "yes_no", "title": "Did you reach what you came for?", "properties": {}},
        {"id": "onbTeam00000", "ref": "team_size", "type": "number", "title": "How many people are in your team?", "properties": {}},
        {"id": "onbMissed000", "ref": "missed", "type": "long_text", "title": "What did you miss?", "properties": {}},
    ],
}  # fmt: skip

IN_APP_CAMPAIGN: Json = {
    "name": "In-app NPS",
    "type": "nps",
    "data": {
        "questions": [
            {"id": "inapp-rating", "label": "How likely are you to recommend Northwind?", "type": "scale", "statistics": {"metric": {"type": "nps"}}},
            {"id": "inapp-comment", "label": "What could we do better?", "type": "long-text"},
        ]
    },
}  # fmt: skip
