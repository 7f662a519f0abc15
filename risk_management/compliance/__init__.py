"""Prop-firm programs as dated data, and what they leave an account. Pure: time and figures come in as arguments.

text of a file --parser--> Program --floors--> room under each limit
                                  --policy--> full automation, or advice only
"""
