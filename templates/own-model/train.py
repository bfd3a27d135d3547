"""Trains the sample model and writes model/iris.joblib: pip install scikit-learn==1.7.2, then python train.py."""

from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

iris = load_iris()  # part of scikit-learn, so nothing is downloaded
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.data, iris.target)
path = Path(__file__).with_name("model") / "iris.joblib"
path.parent.mkdir(exist_ok=True)
joblib.dump((model, [str(name) for name in iris.target_names]), path)
print(f"{path}: {model.score(iris.data, iris.target):.1%} of the training data are right")
