"""The words of the cards: tables of wording that a clinician can review, and the code that puts numbers into them.

It may not decide anything; what is said follows from the assessment alone.
"""
