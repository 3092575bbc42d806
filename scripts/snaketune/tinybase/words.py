"""Characters and word lists from which the corpus is put together."""

import csv
from pathlib import Path
from random import Random


def word_list(text: str) -> list[str]:
    """Words of a text; keeps long lists readable."""
    return text.split()


# Characters beyond the common set that stand in names of Chinese places.
RARE_HAN = (
    "坻陉藁栾妃涞蠡涿骅猗稷绛芮岢岚隰赉磴岫鲅蛟桦洮珲讷闵邺溧睢邳盱眙邗沭泗鄞瓯浔暨嵊婺衢岱缙畲"
    "弋鸠庵濉枞歙黟琊谯颍埇砀璧亳泾旌芗诏柘濂鄱崂峄滕罘朐兖汶莒郯莘茌棣郓鄄荥杞瀍嵩偃郏淇陟濮鄢"
    "漯郾渑淅浉潢驿硚陂猇秭浠蕲芙浏淞攸醴晖耒汨澧沅溆芷泸禺浈圳濠禅莞榕邕圩岑覃仫儋碚綦潼郫邛崃"
    "蔺邡梓犍沐阆珙筠蓥孚仡湄阡谟麒麟蒗祜佤勐濞迦灞岐崆峒岷宕湟晏坂鄯耆伽霾呗"
)
# Characters that names of Chinese places like to use, in the order of their code points.
PLACE_HAN = (
    "七三上下东中丰临丹丽义乌乐九云互亚京亳什仁仙伊余佛佳依保信儋元光克六兰关兴内凉凤则助勒包化北"
    "区华南博卫原厦县双口台合吉吐吕吴周呼和咸哈唐商喀善嘉四固圳城塔多大天太头威娄孜宁安宏定宜宣家"
    "宿密小尔尾山岛岩岭岳峪峰崇川州左巴市布常平广庄庆底店康廊延建张彦徐德忠忻怀怒恩惠成扬承抚拉掖"
    "揭攀文斯新施族日昆昌明春昭晋普景曲朔朝木本杭松林果枝枣柯柳株格桂桥梁梅梧楚楞榆武毕水永汉汕江"
    "池沂沈沙沧河泉波泰泸泽洛津洱济浩浮海淄淖淮深清温渭港湖湘湟湾源溪滁滨漯漳潍潭濮烟焦版牡特犁玉"
    "玛珠理甘田界番白百皇益盐盘盟眉石福秦红纳绍绥绵聊肇自舟色节芜芦花苏茂荆莆莱菏萍营萨葫藏蚌衡衢"
    "襄西许贝贵贺赣赤边辽达运远连迪通遂遵邢邯邵郑郭郴都鄂酒重金钦铁铜银锡锦镇长门阜防阳阿陇随雄雅"
    "青靖鞍音韶顺额饶马驻鲁鸡鸭鹤鹰黄黑黔齐龙"
)
PEOPLES = word_list(
    "汉族 回族 藏族 苗族 彝族 壮族 侗族 瑶族 白族 傣族 黎族 土家族 哈尼族 傈僳族 羌族"
)
SURNAMES = list("赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕张孔曹严金魏陶姜谢邹苏潘葛范彭郎鲁马方袁")
GIVEN = list("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉萍红文辉力健俊帆雪梅兰竹菊宁浩然晨")

EN_NAMES = word_list(
    "Anna Ben Carla David Emma Frank Grace Henry Irene Jack Karen Leo Maria Nick Olga Paul "
    "Rosa Sam Tina Victor Wendy Tom Lucy Peter Alice Bob Dora Eric Fiona George Helen Ivan "
    "Julia Kevin Laura"
)
EN_OBJECTS = word_list(
    "apple book chair lamp table cup plate knife spoon bottle basket box bag coat hat shoe "
    "shirt letter picture mirror clock phone radio camera bike car truck boat train ticket "
    "map pen pencil ring coin key door window flower tree stone rope ladder hammer blanket "
    "pillow candle"
)
EN_ANIMALS = word_list(
    "dog cat horse cow sheep goat pig duck goose rabbit mouse bird fish lion tiger bear wolf"
)
EN_COLOURS = word_list("red blue green yellow black white brown grey pink purple orange")
EN_PLACES = word_list(
    "park school office kitchen garden market station library hospital museum hotel bank shop "
    "restaurant theatre church farm beach forest river bridge street harbour castle village"
)
EN_NUMBERS = word_list(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)

ZH_OBJECTS = word_list(
    "苹果 香蕉 葡萄 书包 铅笔 茶杯 台灯 雨伞 钥匙 手机 毛巾 椅子 桌子 帽子 外套 围巾 手套 "
    "水壶 闹钟 相机 自行车 吉他 地图 剪刀 蜡烛 镜子 篮球 足球 枕头 毯子 面包 牛奶 鸡蛋 西瓜 "
    "橙子 电视 冰箱 花瓶"
)
ZH_ANIMALS = word_list(
    "猫 狗 马 牛 羊 猪 鸡 鸭 鹅 兔子 老虎 狮子 猴子 大象 熊猫 狐狸 乌龟 金鱼 松鼠 骆驼"
)
ZH_COLOURS = word_list("红色 蓝色 绿色 黄色 黑色 白色 灰色 紫色 橙色 粉色 棕色")
ZH_SPORTS = word_list("篮球 足球 羽毛球 乒乓球 游泳 跑步 滑雪 射箭 举重 体操 击剑 划船 跳高 跳远")
ZH_JOBS = word_list("医生 教师 律师 司机 厨师 护士 工人 农民 记者 画家 歌手 会计 警察 木匠 裁缝")


def common_han() -> list[str]:
    """The 3,755 characters of level 1 of GB 2312, in its order."""
    found = []
    for high in range(0xB0, 0xD8):
        for low in range(0xA1, 0xFF):
            if (high, low) <= (0xD7, 0xF9):
                found.append(bytes([high, low]).decode("gb2312"))
    return found


HAN = common_han()
ALL_HAN = HAN + list(dict.fromkeys(RARE_HAN))


def read_excluded(path: Path | None) -> frozenset[str]:
    """Place names that the corpus must not contain, with and without their 市 or 盟 ending."""
    if path is None:
        return frozenset()
    names: set[str] = set()
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            name = row["name"].strip()
            names.add(name)
            stem = name.removesuffix("市")
            if len(stem) >= 2:
                names.add(stem)
    return frozenset(names)


def person(rng: Random) -> str:
    """A Chinese name of two or three characters."""
    return rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2))))


def han(rng: Random, low: int, high: int) -> str:
    """A random string of Chinese characters."""
    pool = PLACE_HAN if rng.random() < 0.4 else ALL_HAN
    return "".join(rng.choices(pool, k=rng.randint(low, high)))


def place(rng: Random) -> str:
    """An invented Chinese place name, with or without an ending such as 市."""
    length = rng.choices((1, 2, 3, 4, 5, 6), (2, 58, 24, 9, 4, 3))[0]
    pool_share = rng.random() ** 0.5
    stem = "".join(
        rng.choice(PLACE_HAN) if rng.random() < pool_share else rng.choice(ALL_HAN)
        for _ in range(length)
    )
    roll = rng.random()
    if roll < 0.48:
        return stem + "市"
    if roll < 0.68:
        return stem if len(stem) > 1 else stem + "县"
    if roll < 0.76:
        peoples = "".join(rng.sample(PEOPLES, rng.choice((1, 1, 2))))
        return stem + peoples + rng.choice(("自治州", "自治县"))
    return stem + rng.choice(("县", "县", "区", "区", "镇", "乡", "地区", "盟", "旗", "村", "岛"))
