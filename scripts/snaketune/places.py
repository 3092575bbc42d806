"""Chinese place names in one canonical form, so that 北京市 and 北京 are one place."""

import re

_PEOPLES = (
    "朝鲜族|土家族|苗族|藏族|羌族|彝族|布依族|侗族|哈尼族|壮族|傣族|白族|景颇族|傈僳族|回族|"
    "蒙古族|蒙古|柯尔克孜|哈萨克"
)
_RANK = re.compile(rf"^(.{{2,}}?)(?:(?:{_PEOPLES})*自治州|特别行政区|地区|市|盟|州)$")


def place_name(name: str) -> str:
    """Canonical form of a city-level place: 青岛市 → 青岛, 延边朝鲜族自治州 → 延边, 兴安盟 → 兴安.

    Names of provinces, counties and districts stay as they are: 吉林省 is not 吉林市, and 朝阳区,
    朝阳县 and 朝阳市 are three places. At least two characters are left: 津市市 → 津市 and no
    further, 广州 stays 广州.
    """
    name = name.strip()
    match = _RANK.match(name)
    return match.group(1) if match else name
