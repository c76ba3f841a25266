"""Answers for people and programs.

questions   what is asked often, by name: one SQL file each
asking      a question put to a warehouse file
reading     the same by a service: the replica where the file cannot be read
sql         SQL of people's own over several sources, shut in
filling     the thread that fills the warehouse
rest        all of it over HTTP; openapi describes it
settings    fleet.yaml
export      tables as Parquet
"""
