# Connects to one place through its driver and says what is there, or why not: one line of JSON.
import errno
import json
import os
import re
import sys

# The current folder is nobody's place for modules.
sys.path[:] = [folder for folder in sys.path if folder]


def guard(allow, deny, names):
    """Python's own sockets go to allowed addresses only: a driver may ask for more names than it was given. What else opens
    connections in this process, the kernel holds, where it can."""
    import ipaddress
    import socket

    names = [ipaddress.ip_address(text) for text in names]
    allow, deny = ([ipaddress.ip_network(text) for text in texts] for texts in (allow, deny))

    def embedded(address):
        """The addresses of IPv4 that one of IPv6 may stand for, as the host reads them."""
        if address.version == 4 or int(address) < 2:
            return []
        packed = address.packed

        def four(*places):
            return ipaddress.IPv4Address(bytes(packed[place] for place in places))

        last = four(12, 13, 14, 15)
        # Translated, the older compatible form, and NAT64.
        if packed[:12] in (bytes(8) + b"\xff\xff\0\0", bytes(12), b"\0\x64\xff\x9b" + bytes(8)):
            return [last]
        # NAT64 of a network's own: which form it has is known there alone.
        if packed[:6] == b"\0\x64\xff\x9b\0\1":
            forms = [four(6, 7, 9, 10), four(7, 9, 10, 11), four(9, 10, 11, 12), last]
            return [form for form in forms if int(form) >= 1 << 24] or forms
        # 6to4 and Teredo.
        if packed[:2] == b"\x20\x02":
            return [four(2, 3, 4, 5)]
        if packed[:4] == b"\x20\x01\0\0":
            return [four(4, 5, 6, 7), ipaddress.IPv4Address(~int(last) & 0xFFFFFFFF)]
        return []

    def allowed(address):
        address = getattr(address, "ipv4_mapped", None) or address
        inner = embedded(address)

        def within(networks, one):
            return any(one in network for network in networks)

        if any(within(deny, one) for one in [address, *inner]):
            return False
        return not allow or within(allow, address) or bool(inner) and all(within(allow, one) for one in inner)

    def meant(host, port):
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii", "replace")
        try:
            return [ipaddress.ip_address(host.split("%")[0])]
        except ValueError:
            pass
        # A name, or one of the many ways to write an address: all that the system makes of it.
        try:
            found = socket.getaddrinfo(host, port)
        except OSError:
            # Then there is nothing to connect to either.
            return []
        return [ipaddress.ip_address(entry[4][0].split("%")[0]) for entry in found]

    def look(event, arguments):
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg") or not isinstance(arguments[1], tuple):
            return
        host, port = arguments[1][:2]
        for address in meant(host, port):
            # The machine's name servers are asked wherever they are.
            if port == 53 and address in names:
                continue
            if not allowed(address):
                raise PermissionError("this place is not among those that connections may be tested to")

    sys.addaudithook(look)


# What a driver prints is no answer.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def mysql(given, port, timeout):
    import pymysql

    tls = given.get("tls")
    ssl = None
    if tls in ("require", "verify"):
        import ssl as tls_module

        ssl = tls_module.create_default_context()
        if tls == "require":
            ssl.check_hostname = False
            ssl.verify_mode = tls_module.CERT_NONE
    try:
        connection = pymysql.connect(
            host=given["host"],
            port=port,
            user=given["user"],
            password=given.get("password", ""),
            database=given.get("database"),
            connect_timeout=timeout,
            read_timeout=timeout,
            ssl=ssl,
            ssl_disabled=tls == "disable",
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            version = cursor.fetchone()[0]
    except pymysql.err.Error as error:
        # The client's own numbers: the server has said nothing, or nothing that a client understands.
        if error.args and isinstance(error.args[0], int) and error.args[0] in range(2000, 3000):
            raise ConnectionError(str(error)) from error
        raise
    return ("MariaDB " if "MariaDB" in version else "MySQL ") + version


def oracle(given, port, timeout):
    import oracledb

    with oracledb.connect(
        host=given["host"],
        port=port,
        service_name=given["database"],
        user=given["user"],
        password=given.get("password", ""),
        tcp_connect_timeout=timeout,
        retry_count=0,
    ) as connection:
        return "Oracle " + connection.version


def mssql(given, port, timeout):
    import pymssql

    with pymssql.connect(
        server=given["host"],
        port=str(port),
        database=given.get("database", ""),
        user=given["user"],
        password=given.get("password", ""),
        login_timeout=timeout,
        timeout=timeout,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT CAST(SERVERPROPERTY('ProductVersion') AS varchar(40))")
        return "SQL Server " + cursor.fetchone()[0]


def snowflake(given, port, timeout):
    import snowflake.connector

    names = ("account", "user", "password", "database", "schema", "warehouse", "role")
    with snowflake.connector.connect(
        login_timeout=timeout,
        network_timeout=timeout,
        **{name: given[name] for name in names if name in given},
    ) as connection:
        return "Snowflake " + connection.cursor().execute("SELECT CURRENT_VERSION()").fetchone()[0]


def bigquery(given, port, timeout):
    from google.cloud import bigquery as service
    from google.oauth2 import service_account

    login = service_account.Credentials.from_service_account_info(
        credentials(given), scopes=["https://www.googleapis.com/auth/bigquery"]
    )
    client = service.Client(project=given["project"], credentials=login)
    client.query("SELECT 1", retry=None, timeout=timeout, job_retry=None).result(timeout=timeout)
    return "BigQuery, project " + given["project"]


def ga4(given, port, timeout):
    from google.analytics.data_v1beta import BetaAnalyticsDataClient

    # Not by gRPC, whose library opens its connections by itself.
    client = BetaAnalyticsDataClient.from_service_account_info(credentials(given), transport="rest")
    name = "properties/" + given["property"].removeprefix("properties/") + "/metadata"
    client.get_metadata(name=name, timeout=timeout, retry=None)
    return "Google Analytics, property " + given["property"]


def credentials(given):
    try:
        found = json.loads(given["credentials"])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("the credentials are not the JSON of a service account's key")
    return found


def mongodb(given, port, timeout):
    import pymongo

    options = {
        "username": given.get("user"),
        "password": given.get("password"),
        "authSource": given.get("auth_database"),
        "tls": given.get("tls"),
        "serverSelectionTimeoutMS": timeout * 1000,
        "connectTimeoutMS": timeout * 1000,
        "socketTimeoutMS": timeout * 1000,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if given.get("srv"):
        client = pymongo.MongoClient("mongodb+srv://" + given["host"], **options)
    else:
        client = pymongo.MongoClient(given["host"], port, **options)
    try:
        with client:
            version = client.server_info()["version"]
            # Only now is the login needed.
            client[given.get("database", "admin")].command("ping")
            if given.get("user"):
                client[given.get("database", "admin")].list_collection_names()
    except pymongo.errors.ConnectionFailure as error:
        raise ConnectionError(str(error)) from error
    return "MongoDB " + version


def chroma(given, port, timeout):
    import chromadb

    settings = chromadb.Settings(anonymized_telemetry=False)
    if "folder" in given:
        client = chromadb.PersistentClient(path=given["folder"], settings=settings)
    else:
        headers = {"Authorization": "Bearer " + given["token"]} if "token" in given else None
        client = chromadb.HttpClient(
            host=given["host"], port=port, ssl=bool(given.get("tls")), headers=headers, settings=settings
        )
    return "Chroma " + client.get_version() + ", collections: " + str(client.count_collections())


def faiss(given, port, timeout):
    import faiss as library

    index = library.read_index(given["file"])
    return "a FAISS index of " + str(index.ntotal) + " vectors of " + str(index.d) + " dimensions"


def oss(given, port, timeout):
    import oss2

    login = oss2.Auth(given["user"], given.get("password", ""))
    bucket = oss2.Bucket(login, "https://" + given["endpoint"], given["bucket"], connect_timeout=timeout)
    try:
        bucket.get_bucket_info()
    except oss2.exceptions.OssError as error:
        raise RuntimeError(getattr(error, "message", "") or str(getattr(error, "exception", error))) from None
    return "OSS, bucket " + given["bucket"]


# What the system says where no server answers.
NOBODY = {
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EPIPE,
    errno.ETIMEDOUT,
}


def nobody(error):
    """Whether an error comes from there being no server of this kind, or none that one gets to."""
    seen, left = set(), [error]
    while left:
        error = left.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        if isinstance(error, (ConnectionError, TimeoutError)) or getattr(error, "errno", None) in NOBODY:
            return True
        left += [error.__cause__, error.__context__]
    return False


def say(error, question):
    """What a driver's error says to people."""
    # Whether a port is closed, filtered or somebody else's is nothing that a test has to find out.
    if question["parameters"].get("host") and nobody(error):
        return "no {} server answers at {} port {}".format(question["name"], question["parameters"]["host"], question["port"])
    told = list(getattr(error, "args", ()))
    if len(told) == 1 and isinstance(told[0], tuple):
        told = list(told[0])
    # Several drivers put a number in front, and some give bytes.
    if len(told) == 2 and isinstance(told[0], int) and isinstance(told[1], (str, bytes)):
        text = told[1].decode("utf-8", "replace") if isinstance(told[1], bytes) else told[1]
    else:
        text = str(error)
    # What the FreeTDS library adds comes before or after what the server says.
    text = next(filter(None, map(str.strip, re.split(r"DB-Lib error message \d+, severity \d+:", text))), "")
    # What follows is for those who wrote the driver, and so is the place in its source that stands before.
    for noise in (", Timeout: ", " (configured timeouts: ", "\nHelp: "):
        text = text.split(noise)[0]
    text = re.sub(r"^Error in .*?\.cpp:\d+: ", "", text, flags=re.DOTALL)
    text = re.sub(r" \(CONNECTION_ID=[^)]*\)", "", text)
    # A connection pool tells of its retries first and of the cause last.
    cause = re.search(r"Caused by \w+\([\"'](.*)[\"']\)\)", text, flags=re.DOTALL)
    if cause:
        text = cause.group(1)
    return text.strip() or type(error).__name__


KINDS = {
    "bigquery": bigquery,
    "chroma": chroma,
    "faiss": faiss,
    "ga4": ga4,
    "mariadb": mysql,
    "mongodb": mongodb,
    "mssql": mssql,
    "mysql": mysql,
    "oracle": oracle,
    "oss": oss,
    "snowflake": snowflake,
}

question = json.load(sys.stdin)
guard(question["allow"], question["deny"], question["names"])
try:
    what = KINDS[question["kind"]](question["parameters"], question["port"], question["timeout"])
    answer = {"ok": True, "message": what}
except BaseException as error:
    answer = {"ok": False, "message": say(error, question)}
json.dump(answer, answers)
answers.write("\n")
answers.flush()
# A driver's threads are not waited for.
os._exit(0)
