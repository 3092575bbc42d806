"""City lists in every shape that people have, and what a broken one gets."""

import csv
from pathlib import Path

import pytest

from snaketune.cities import read_cities
from snaketune.errors import UserError
from snaketune.places import place_name

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "cities" / "city.txt"
OTHER_COLUMN = "Chinese, but not in the name column"
NAMES = ["青岛市", "攀枝花市", "阿坝藏族羌族自治州"]

SHAPES = {
    "names": "青岛市\n攀枝花市\n阿坝藏族羌族自治州\n",
    "code name": "370200 青岛市\n510400   攀枝花市\n513200 阿坝藏族羌族自治州",
    "code tabs name": "370200\t青岛市\n510400\t\t\t攀枝花市\n513200 \t阿坝藏族羌族自治州\n",
    "code=name": "101120201=青岛市\n101270201=攀枝花市\n101271901=阿坝藏族羌族自治州\n",
    "header": "code,name\n370200,青岛市\n510400,攀枝花市\n513200,阿坝藏族羌族自治州\n",
    "Chinese header": "城市,省份\n青岛市,山东\n攀枝花市,四川\n阿坝藏族羌族自治州,四川\n",
    "header after version": (
        "List-v20240101,,,\nLocation_ID,Location_Name_EN,Location_Name_ZH,Adm1_ZH\n"
        "1,Qingdao,青岛市,山东\n2,Panzhihua,攀枝花市,四川\n3,Aba,阿坝藏族羌族自治州,四川\n"
    ),
    "English column called city": (
        "city,hanzi\nQingdao,青岛市\nPanzhihua,攀枝花市\nAba,阿坝藏族羌族自治州\n"
    ),
    "no header": "青岛市,370200,0532\n攀枝花市,510400,0812\n阿坝藏族羌族自治州,513200,0837\n",
    "TSV": "id\tname\tnote\n1\t青岛市\tby the sea\n2\t攀枝花市\t\n3\t阿坝藏族羌族自治州\t\n",
    "header with a name column of any name": (
        "编码,中文城市名称\n1,青岛市\n2,攀枝花市\n3,阿坝藏族羌族自治州\n"
    ),
    "header that ends in 名": "城市代码,市名\n1,青岛市\n2,攀枝花市\n3,阿坝藏族羌族自治州\n",
    "header 省,市": "省,市\n山东省,青岛市\n四川省,攀枝花市\n四川省,阿坝藏族羌族自治州\n",
    "header of no known word": "adcode,全部\n1,青岛市\n2,攀枝花市\n3,阿坝藏族羌族自治州\n",
    "province first": "1,山东省,青岛市\n2,四川省,攀枝花市\n3,四川省,阿坝藏族羌族自治州\n",
    "short name too": "青岛市,青岛\n攀枝花市,攀枝花\n阿坝藏族羌族自治州,阿坝\n",
    "ranks": "青岛市,市\n攀枝花市,地级市\n阿坝藏族羌族自治州,自治州\n",
    "empty first cells": "\t青岛市\t1\n\t攀枝花市\t\n\t阿坝藏族羌族自治州\t3\n",
    "full-width commas": "1，青岛市\n2，攀枝花市\n3，阿坝藏族羌族自治州\n",
    "commas of both kinds": "1，青岛市\n2,攀枝花市\n3、阿坝藏族羌族自治州\n",
    "bars": "1|青岛市\n2|攀枝花市\n3|阿坝藏族羌族自治州\n",
    "colons": "1:青岛市\n2：攀枝花市\n3:阿坝藏族羌族自治州\n",
    "semicolons": "1；青岛市\n2;攀枝花市\n3；阿坝藏族羌族自治州\n",
    "all on one line": "青岛市,攀枝花市,阿坝藏族羌族自治州",
    "one line of text": "青岛市、攀枝花市、阿坝藏族羌族自治州\n",
    "JSON": '["青岛市", "攀枝花市", "\\u963f坝藏族羌族自治州"]',
    "pretty JSON": '[\n  "青岛市",\n  "攀枝花市",\n  "阿坝藏族羌族自治州"\n]\n',
    "quoted, blanks after commas": '1, "青岛市"\n2, "攀枝花市"\n3, "阿坝藏族羌族自治州"\n',
    "quoted": '"1","青岛市"\n"2","攀枝花市"\n"3","阿坝藏族羌族自治州"\n',
}


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.txt"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_in_every_encoding(tmp_path, shape, encoding):
    found = read_cities(write(tmp_path, SHAPES[shape], encoding))
    assert found.names == NAMES
    assert found.dropped == {}


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_line_ends_and_blank_lines(tmp_path, shape):
    text = "\n" + SHAPES[shape].replace("\n", "\n\n  \n") + "\n\n"
    assert read_cities(write(tmp_path, text.replace("\n", "\r\n"))).names == NAMES


def test_big_endian_utf16(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xfe\xff" + SHAPES["code name"].encode("utf-16-be"))
    assert read_cities(path).names == NAMES


def test_rows_that_name_no_place_are_dropped_and_counted(tmp_path):
    rows = "1 石家庄市\n2 市辖区\n3 市辖区\n4 县\n5 省直辖县级行政区划\n6 Paris\n# 城市\n"
    rows += "7 石家庄市\n8 郊区\n"
    found = read_cities(write(tmp_path, rows))
    assert found.names == ["石家庄市", "郊区"]
    assert found.dropped == {
        "placeholder 市辖区": 2,
        "placeholder 县": 1,
        "placeholder 省直辖县级行政区划": 1,
        "no Chinese name": 1,
        "comment": 1,
        "repeated": 1,
    }


@pytest.mark.parametrize(
    ("rows", "names", "dropped"),
    [
        # Places whose names end like headers, and headers that stand in the list.
        ("茂名\n运城市\n共青城市\n", ["茂名", "运城市", "共青城市"], {}),
        ("名称\n北京市\n名称\n天津市\n", ["北京市", "天津市"], {"header": 1}),
        ("北京市\n城市\n天津市\n", ["北京市", "天津市"], {"header": 1}),
        # A row is not in the header's shape, or the file has a title.
        ("北京市\n2 上海市\n3 天津市\n", ["上海市", "天津市"], {OTHER_COLUMN: 1}),
        ("中国城市,,\n编码,名称,省\n1,通州区,北京\n", ["通州区"], {}),
        # A table of one row.
        ("1,山东省,青岛市\n", ["青岛市"], {}),
        # Marks that names have.
        (
            "1,阿坝（四川）\n2,澳门·半岛\n3,Lhasa 拉萨\n",
            ["阿坝（四川）", "澳门·半岛", "Lhasa 拉萨"],
            {},
        ),
    ],
)
def test_what_is_a_name_and_what_is_not(tmp_path, rows, names, dropped):
    found = read_cities(write(tmp_path, rows))
    assert found.names == names
    assert found.dropped == dropped


BROKEN = {
    "empty": (b"", "empty"),
    "blank": (b"\xef\xbb\xbf \r\n\r\n", "empty"),
    "binary": ("青岛\n".encode() + b"PK\x03\x04\x00\x00\xff", "line 2: a binary file"),
    "no names": (b"1 Paris\n2 Rome\n", "no Chinese place name in 2 lines"),
    "only a header": ("编码,名称\n".encode(), "no Chinese place name"),
    "placeholders only": ("1 市辖区\n2 县\n".encode(), "no Chinese place name"),
    "damaged UTF-8": ("青岛市\n".encode() * 9 + b"\xe9\x9d\n", "line 10: bytes that are not UTF-8"),
    "no encoding at all": (
        "青岛\n".encode("gbk") + b"\xff\xff\xff\n",
        "line 2: bytes that are not",
    ),
    "mixed separators": ("1,青岛市\n2,上海市|北京市\n".encode(), "line 2: '上海市|北京市'"),
    "code stuck to the name": ("青岛市\n110000北京市\n".encode(), "line 2: '110000北京市'"),
    "quotes of another kind": ("青岛市\n'北京市'\n".encode(), "line 2: ''北京市''"),
    "invisible character": ("青岛市\n北京市\u200b\n".encode(), "line 2: '北京市"),
    "quote left open": ('1,青岛市\n2,"北京市\n3,上海市\n'.encode(), "line 2: not CSV"),
    "quote closed below": ('1,青岛市\n2,"北京市\n3,上海市"\n'.encode(), "line 2: not CSV"),
    "several names a line": ("北京市,上海市\n天津市,重庆市\n".encode(), "line 1: several Chinese"),
    "JSON object": ('{"110000": "北京市"}'.encode(), "line 1: JSON that is no list of strings"),
    "JSON of objects": ('[{"name": "北京市"}]'.encode(), "line 1: JSON that is no list"),
    "no JSON": ('[\n"北京市",\n]'.encode(), "line 3: it looks like JSON"),
    "name in JSON": ('[\n"北京市",\n"1 上海市"]'.encode(), "line 3: '1 上海市' is no place name"),
    "prose": (("青岛\n" + "今天天气很好，" * 9).encode(), "line 2: '今天天气很好，"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_list_is_one_message_with_file_and_line(tmp_path, kind):
    path = tmp_path / "list.txt"
    path.write_bytes(BROKEN[kind][0])
    with pytest.raises(UserError) as error:
        read_cities(path)
    assert str(error.value).startswith(str(path))
    assert BROKEN[kind][1] in str(error.value)


def test_a_missing_list_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="no such city list"):
        read_cities(tmp_path / "nowhere.txt")
    with pytest.raises(UserError, match="cannot be read"):
        read_cities(tmp_path)


def test_the_shipped_list():
    path = ROOT / "resources" / "cities" / "cities.csv"
    found = read_cities(path)
    assert len(found.names) == 337 and found.dropped == {}
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["province"] for row in rows}) == 31
    ranks = [row["name"].endswith("自治州") for row in rows]
    assert sum(ranks) == 30
    assert len({place_name(name) for name in found.names}) == 337


@pytest.mark.skipif(not REAL.exists(), reason="the list of 3,508 rows is not here")
def test_a_real_list_of_3508_rows():
    found = read_cities(REAL)
    assert len(found.names) == 3179
    assert found.dropped["placeholder 市辖区"] == 282
    # 325 rows repeat an earlier name; 281 of them are 市辖区, 3 the placeholder of a province.
    assert found.dropped["repeated"] == 325 - 281 - 3
    assert len(found.names) + sum(found.dropped.values()) == 3508
    assert "攀枝花市" in found.names


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("北京市", "北京"),
        ("北京", "北京"),
        ("津市市", "津市"),
        ("广州市", "广州"),
        ("广州", "广州"),
        ("延边朝鲜族自治州", "延边"),
        ("延边州", "延边"),
        ("海西蒙古族藏族自治州", "海西"),
        ("大兴安岭地区", "大兴安岭"),
        ("阿拉善盟", "阿拉善"),
        ("香港特别行政区", "香港"),
        ("吉林省", "吉林省"),
        ("朝阳区", "朝阳区"),
    ],
)
def test_place_names(name, canonical):
    assert place_name(name) == canonical
