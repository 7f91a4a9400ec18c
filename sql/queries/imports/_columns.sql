-- Every column of a record, those of the enrichment too: what moves over is whole.
/* include records/_columns */, value_text_translated, translation_lang_key, sentiment, sentiment_score, emotions
