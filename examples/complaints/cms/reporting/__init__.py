"""Figures, read from the view `complaint_facts` only. Changes nothing."""
