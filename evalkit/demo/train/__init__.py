"""How the demo pair is made: seeded questions with pictures, the training program, and the quantization program.

These are programs for whoever wants to make the pair again; evaluating never imports them.
"""
