"""Answers for people and programs.

questions   what is asked often, by name: one SQL file each
asking      a question put to a warehouse file
"""
