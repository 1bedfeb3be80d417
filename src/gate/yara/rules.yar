// What the formats gate asks YARA: content that no rule of its own sees. Each rule has a row in
// src/formats/rules.cpp ("yara." and its name, with - for _), which gives the answer, and a sample in
// src/gate/test/yara_test.cpp that shows it. A rule that finds something clean is a defect.

rule eicar
{
    strings:
        $test = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    condition:
        // The file itself (eicar.org: at most 128 bytes), not a text that quotes it.
        $test at 0 and filesize <= 128
}

rule embedded_program
{
    strings:
        // The header of DOS, then the stub that every linker for Windows writes.
        $windows = /MZ[\x00-\xff]{38,300}This program (cannot be run in DOS mode|must be run under Win)/
        // e_ident, e_type (EXEC, DYN), e_machine (x86, ARM, x86-64, AArch64), e_version.
        $elf = { 7F 45 4C 46 (01 | 02) 01 01 ?? 00 00 00 00 00 00 00 00 (02 | 03) 00 (03 | 28 | 3E | B7) 00 01 00 00 00 }
    condition:
        // At 0 it is a program, which the gate knows without us.
        for any of ($windows, $elf) : (# > 0 and @ > 0)
}

rule php_in_image
{
    strings:
        $gif = "GIF8"
        $jpeg = { FF D8 FF }
        $png = { 89 50 4E 47 0D 0A 1A 0A }
        $riff = "RIFF"
        $php = "<?php"
        $run = /(eval|assert|system|passthru|shell_exec|base64_decode)\s{0,8}\(/
    condition:
        ($gif at 0 or $jpeg at 0 or $png at 0 or $riff at 0) and $php and $run
}

rule powershell
{
    strings:
        $encoded = /powershell(\.exe)?[ \t][^\n]{0,200}[ \t]-e(c|nc|ncodedcommand)?[ \t]{1,8}[A-Za-z0-9+\/]{100}/ nocase
        $fetched = /(iex|invoke-expression)\s{0,8}\(?\s{0,8}\(?\s{0,8}new-object\s{1,8}(system\.)?net\.webclient\s{0,8}\)?\.download(string|data)/ nocase
    condition:
        any of them
}

rule reverse_shell
{
    strings:
        $bash = /sh\s{1,4}-i\s{0,4}>&?\s{0,4}\/dev\/tcp\/[0-9A-Za-z.:-]{3,64}\/[0-9]{1,5}\s{1,4}0>&1/
        $socket = "socket.socket("
        $dup = "os.dup2("
        $shell = /(subprocess\.(call|Popen|run)|pty\.spawn|os\.execv?e?)\(\[?["']\/bin\/(ba)?sh/
    condition:
        $bash or ($socket and $dup and $shell)
}

rule miner
{
    strings:
        $pool = /stratum\+(tcp|ssl):\/\/[A-Za-z0-9.-]{4,128}:[0-9]{2,5}/
        $program = /xmrig|--donate-level|minerd|cryptonight/ nocase
    condition:
        $pool and $program
}
