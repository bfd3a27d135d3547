def init():
    pass


def run(raw_data):
    return {"heard": raw_data}
