"""What headings are called in Chinese, Japanese, Korean, German, French, Spanish and Portuguese.

Only words that mean one thing at the head of a table of models. Each is a part of a regular expression, without case.
"""

from __future__ import annotations

WHOLE = (
    r"基线|基準模型|基准模型|原始|原版|原模型|未量化|量化前|全精度|ベースライン|元のモデル|元モデル|非量子化|未量子化|量子化前"
    r"|オリジナル|원본|기준 ?모델|베이스라인|양자화 ?전|비양자화|\bausgangsmodell|\boriginalmodell"
    r"|\bbasis(?:modell)?\b|\b(?:un|nicht )quantisiert"
    r"|d['\u2019]origine\b|\bréférence\b|\bnon quantifié|\bde base\b|\bsin cuantizar\b|\blínea (?:de )?base\b"
    r"|\blinha de base\b|\bmodelo base\b|\bnão quantizado\b"
)
QUANTIZED = (
    r"(?<!未)(?<!非)量化(?!前|方|法|类|類)|(?<!未)(?<!非)量子化(?!前|方|手法|な)|(?<!비)양자화(?! ?(?:전|방|기법))"
    r"|(?<!un)(?<!nicht )quantisiert|(?<!non )\bquantifié|\bcuantizad[oa]|(?<!não )\bquantizad[oa]"
)
RECOVERY = (
    r"恢复率|恢復率|保持率|保留率|回復率|維持率|회복률|회복율|유지율|보존율|\berhalt(?:ung)?\b|\bwiederherstellung|\bbeibehalt"
    r"|\brécupération|\brétention\b|\bconservation\b|\brecuperación|\bretención|\brecuperação|\bretenção"
)
DIFFERENCE = (
    r"差异|差值|差分|差距|变化|変化|下降|低下|损失|차이|변화|하락|\bdifferenz|\bunterschied|\bveränderung|\babweichung|\bverlust\b"
    r"|\bdifférence|\bécart\b|\bperte\b|\bdiferencia|\bpérdida|\bcaída\b|\bdiferença|\bperda\b|\bqueda\b"
    r"|\bersparnis|\béconomie\b|\bahorro\b|\beconomia\b|節約|削減|节省|절감"
)
AVERAGE = (
    r"平均(?:值|分|値|点|得分|分数|スコア|准确率|精度)?|均值|평균|\bdurchschnitt|\bmittelwert|\bmoyenne|\bpromedio"
    r"|\bmedia\b|\bmédia\b"
)
SPEEDUP = (
    r"加速比|加速倍|加速率|速度向上|高速化|가속|속도 ?향상|\bbeschleunigung|\baccélération|\baceleración|\baceleração"
)
COMPRESSION = r"压缩比|压缩率|圧縮率|圧縮比|압축률|압축비|\bkompression|\bcompresión|\bcompressão"
SIZE = (
    r"大小|体积|显存|内存|サイズ|メモリ|크기|메모리|\bgröße|\bspeicher|\btaille|\bmémoire|\btamaño|\bmemoria\b"
    r"|\btamanho|\bmemória"
)
TIME = r"延迟|时延|耗时|レイテンシ|遅延|지연|\blatenz|\blatence|\blatencia|\blatência"
RATE = r"吞吐|スループット|처리량|\bdurchsatz|\bdébit\b"
MODELS = (
    r"模型|方法|精度|量化|モデル|手法|量子化|모델|양자화|modelle?\b|modèles?\b|modelos?\b|verfahren\b"
    r"|méthodes?\b|métodos?\b"
)
TASKS = (
    r"数据集|任务|基准|评测|测试|指标|ベンチマーク|タスク|データセット|벤치마크|과제|태스크|데이터셋|aufgaben?\b"
    r"|datensatz|tâches?\b|jeux? de données|tareas?\b|tarefas?\b|pruebas?\b"
)
LOWER = r"困惑度|パープレキシティ|퍼플렉시티|越低越好|低いほど|낮을수록"
