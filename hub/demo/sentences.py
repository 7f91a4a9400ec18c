"""What people wrote, by language and by what they felt; `BROKEN` is about the release that broke the exports."""

LIKED = {
    "en": (
        "Setup took ten minutes and the first dashboard was there before the coffee.",
        "Dashboards are fast, even with a year of data.",
        "Alerts have saved us twice this quarter.",
        "The support team answers within the hour and knows the product.",
        "The API is well documented, our integration was done in a day.",
        "Sharing dashboards with customers just works.",
        "The Slack digest is the first thing I read on Monday.",
        "Our whole team uses it every day.",
        "Search finds what I mean, not only what I type.",
        "Pricing is fair and the invoices are clear.",
        "The new filters are exactly what we asked for.",
        "It does one thing and does it well.",
    ),
    "de": (
        "Die Einrichtung hat zehn Minuten gedauert, das erste Dashboard war sofort da.",
        "Die Dashboards sind schnell, auch mit vielen Daten.",
        "Die Benachrichtigungen haben uns schon zweimal gerettet.",
        "Der Support antwortet schnell und kennt das Produkt.",
        "Die API ist gut dokumentiert, unsere Anbindung lief nach einem Tag.",
        "Das ganze Team arbeitet jeden Tag damit.",
        "Übersichtlich, schnell und ohne Schnickschnack.",
        "Die neuen Filter sind genau das, was uns gefehlt hat.",
    ),
    "fr": (
        "La mise en place a pris dix minutes, très simple.",
        "Les tableaux de bord sont rapides et clairs.",
        "Le support répond vite et connaît bien le produit.",
        "Les alertes nous ont évité deux incidents.",
        "Toute l'équipe l'utilise chaque jour.",
        "L'API est bien documentée.",
    ),
}

MIXED = {
    "en": (
        "Good overall, but the mobile app is missing.",
        "Solid, though permissions are harder than they should be.",
        "I like the dashboards, the onboarding emails less so.",
        "Does what it says. Single sign-on would make it easier to roll out.",
        "Useful, but the price went up with our team.",
        "The reports are fine, but I still copy them into a spreadsheet.",
        "Dark mode please.",
        "Search could be better, it misses archived items.",
    ),
    "de": (
        "Insgesamt gut, aber eine mobile App fehlt.",
        "Solide, nur die Rechteverwaltung ist umständlich.",
        "Single Sign-on würde die Einführung erleichtern.",
        "Die Berichte sind in Ordnung, ich kopiere sie trotzdem in eine Tabelle.",
        "Die Suche findet archivierte Einträge nicht.",
    ),
    "fr": (
        "Bien dans l'ensemble, mais il manque une application mobile.",
        "La gestion des droits est compliquée.",
        "Les rapports sont corrects, la recherche pourrait être meilleure.",
        "Un mode sombre serait le bienvenu.",
    ),
}

DISLIKED = {
    "en": (
        "Permissions are a maze, nobody knows who sees what.",
        "Too expensive for what we use.",
        "The mobile site is unusable on my phone.",
        "We waited three days for an answer from support.",
        "Every update moves the buttons around.",
        "The documentation describes a version we do not have.",
        "Loading large dashboards takes forever.",
        "Alerts arrive twice or not at all.",
    ),
    "de": (
        "Die Rechteverwaltung ist ein Labyrinth.",
        "Zu teuer für das, was wir nutzen.",
        "Drei Tage auf eine Antwort vom Support gewartet.",
        "Große Dashboards laden ewig.",
        "Nach jedem Update sind die Knöpfe woanders.",
    ),
    "fr": (
        "La gestion des droits est un labyrinthe.",
        "Trop cher pour ce que nous utilisons.",
        "Le site mobile est inutilisable.",
        "Les alertes arrivent deux fois, ou jamais.",
    ),
}

BROKEN = {
    "en": (
        "Exports time out since the update. We cannot close the month without them.",
        "The export stops at 10,000 rows since version 4.0.",
        "Since 4.0 every export fails with an error, and support had no answer.",
        "Our nightly export is broken. This is the second week in a row.",
        "CSV export is empty after the release. Please roll it back.",
        "Scheduled exports stopped working and nobody told us.",
    ),
    "de": (
        "Seit dem Update bricht der Export ab. Ohne ihn können wir den Monat nicht abschließen.",
        "Der Export hört seit Version 4.0 bei 10.000 Zeilen auf.",
        "Unser nächtlicher Export ist seit dem Update kaputt.",
        "Der CSV-Export ist leer. Bitte macht das Update rückgängig.",
    ),
    "fr": (
        "L'export échoue depuis la mise à jour.",
        "Depuis la version 4.0, l'export s'arrête à 10 000 lignes.",
        "Nos exports planifiés ne fonctionnent plus depuis la mise à jour.",
    ),
}

TICKETS = (
    "How do I invite a guest?", "Invoice address", "Export times out", "Reset two-factor login", "Move a workspace",
    "Webhook signature", "Refund for March", "Dashboard does not load",
)  # fmt: skip
