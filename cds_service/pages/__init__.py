"""Pages for people: playground, knowledge, the trend page behind a card, operations.

They show what hooks/ decided and what the content says; they may not decide, compute or word anything clinical.
"""
