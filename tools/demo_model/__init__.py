"""How the demonstration's pair is made: the training program, the quantization program, and tiny random models.

Programs for whoever wants to make the pair again; evaluating never imports them, and no wheel holds them.
"""
