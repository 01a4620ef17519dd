"""The function of every ported model that masks what is padding by lengths."""

LENGTHS_OF = '''
def lengths_of(tokens):
    """How many timesteps of each sequence are valid: those before its padding, which is token 0."""
    valid = tokens != 0
    lengths = valid.sum(1)
    if bool((valid[:, 1:] & ~valid[:, :-1]).any()) or not bool((lengths > 0).all()):
        raise ValueError("padding has to come after what is valid, and something has to be valid")
    return lengths
'''
