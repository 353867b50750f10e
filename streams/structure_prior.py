"""What the layout of people's prompts looks like before a deployment has told: mean and two covariances.

The structure group of `streams.features` is the only one that does not depend on the deployment's secret, so
it is the only one for which anything can be shipped. Fitted by `tests.evaluation.fit_structure_prior` on
14,565 prompts of 1,322 real conversations (ShareGPT, half of those with six different prompts) and on nothing
else: 64 means, and the lower triangles of the covariance of prompts around their conversation's mean and of
these means around each other. Numbers, no text; a conversation stands for an account.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode

import numpy as np
from numpy.typing import NDArray

from streams.structure import GROUP

CONTINUITY = 0.04
"""`streams.continuity` of these conversations after six to eight prompts, on average."""

_MEAN_SCALE = 1e4
_COVARIANCE_SCALE = 2e4
_SCRIPT_SCALE = 400
_LOWER = np.tril_indices(GROUP)

Floats = NDArray[np.float64]

_PACKED = (
    'c-nPW34Bvk*1s>wOY*YsX_7YG_r0`0%UWRAHyuDx5KsX{MjaP)#$`tR6cu$G1XLXT5FD5fM?qyQTPbT>D72-e>At2-nxxtH<>ijp'
    'G<mQ1_1CoTz5DLD=lswA{LjhOmu@Tw?>g{z?Z-P(<VEi>mb_e?!!itCdh);<ZJY;BJ@IAVuEwqQzZ||bb4~KfP2LxWsfOJxegAlS'
    'B(Z#*h6(at`0FyHk!zfz(yZ9rvir@<JNju0J_=S!0B2<><qCUuTD{;9b}}TC_m{KYI<N?}zAMLmFse5`9G)Q-aEFiTrQr{IA6@p!'
    ')|xB@`tDZ<r5)em{kFR7P4)TpKXxZThIIPNH&5j5eV*#+?fEV~D8M93X5ReMiDFdfWr-c{xAGIZ*qWcV%;~T!pRG6eI)`<4t`2@u'
    '@`f%ea5LFcn!>c7N*oAs&$i6kV5%QjU#2<O8(3S(vyb#G^dzdkvr0wh4JFy_f$lS*ufqxc%e>pE0k=?Jej}b0KmQhwVPc4kl=Pw='
    '#;FS90ZI6u?)dYZBC}Uv5~UqNAL>8FP0+PeA)oKa>A^xY+WnoNcu(^w_~M>@p*f;drm=g9`~y7Lmto_MP3N5%xlzJSx-unUv-rrg'
    ';EkTZBXY*YQ;9FjHZu=DR5ToKHGGtjRXf7-=yCe!CQ-L>w`-JDrn^~}8x}bK$@%IuP1$;cbJHssJ`(rQg{6Y}j-Ui-n7{94!B4cY'
    '4vE<jtnW&aXN?qPW;#>Y@P_DLz6)-B8-{FCof$&P9%$`);8Mua_g;O@jWNoCX_Pnlt^41qzJlV7LaniI$`ycX9*A3DiEmEvoE`#>'
    'i@*1{7iUxrcx={=v2$pyE7U))ht)egH?_mqP0<WcOs2I3rWAG+d#Ej|LLAB-W)!=gzjJt9@pPvI9h~EnbA9sS(uCp~_wek*cNVM!'
    '=KcjKk1!S}zmqY1tuDtKy`AV*kGMR@F~>8{dAoY8Lvj5Zj~e7(Bvu~PZ=|fHTzuTtZ;8iF^rwD#;pBW(*1?MoPW+!N=Moi+-hgb5'
    'o*L&5({>#^BHMqiUj!b+no>&-t<ZH}!&3I@*JRDR^qzM0v>TM$&uPaxrK`SK%~=;G@A-M%X;#VA(D!Mm<a5#eqOc_OirV45o#wV-'
    'z3I$lBOdwI+t<q|-A9|lc6sM(R^^s~K1oS$4OaKJlBe(6-#%@uTHSZ7f7Xtk`oHL>EE<?E@;=*8q_6B03NP$^I-7d3xR1WbrlKdR'
    '>GRplU`E?I<eRZtF}0*@+7K9^1s*JzF{Vk)yR*Ja)$34x^Tvn!|MMbCRhRP_I;t>~A6T?ls0_V!d-_PuW$9vLRY~d9Gnhg+Q{qk&'
    'DDj=0T{+L;LR)*MqS>nS$`*P$W{Nh=Sj*o~SmWPb(PJ$|)=YJHW;Utogfqodhy-hVC*6kO{Myi<ZD4sj-?ZedL%J=J3gb{)+TWMY'
    '?p^TCSCys<n00kSp)x&xsGu1tUjFfq?3EuB8qBbE>e)Nhq0!{>PG;-8`l*|apNlIMVeOT9Wjs-d@M(*=n6FLk2EzQ~y?yJe()g)L'
    'Ggg!U_1~H=9r<SVqp63cCh{+Je*|(zb3ZE7@}9ZgwJ>G)^6H~GXRAL@Eu($->9X{r7%z<_*!zDQGr==0cF&d19;+BmaK7n!a5@$5'
    '`fkjU`iC^WqfYd;_agFK=}URGmWn;w@9WQYcG1<BeA=m<!57^ROu5C&oB7Ves=p*35@p2E{;;yHX#42f4}3j(lao~L{NM|Qv{_s~'
    'h{w5m4<_awZMpmt<Fu+R;euOq<MA54J@aob_=NlaWxZeVCF^zBwUNRV`DxkQw3eX{PikEA%*Cwhu0WtW8~bTK<BWfmRk*sqTKo0G'
    '*_B%!(=@(|tr(vEbj$7|ycIs$L%z}ZBV%iq{<TitSW|E<w`IGcchmdXH{xnK{@jM8{iEd6?6l)0PZ_F#G>%`=ct>WDsXLXSB&|_y'
    'uS#n-d6}$+?0->Z;LDod`SE?m0)Ojv{Pz{sZTEk%>P2LR(06u^!2o(&(4FbovsfFxYF6MlBjMxYIrXabroo0Yqvn6(OV=En`{iJM'
    'm3qp)=7pIlEv4?ID^8Wq^|P}7Xw=qjkUV;+3%OI|&X^L{BJT-ZdYJia17-H-MWV)>>6T~rEjwmnr@_%<2WRTuSer1ti1o?tUW4F|'
    'C(r}mfj0;5n>+8@b!VSkZ+(3C#`u*x&#tW6u|7ew$M_NQr}%AsubidPJ1_p+_C>3|ly0YwZJENUHay<st2HPd-6Re?E<L0R3z`ho'
    'Nsf<Mbx-)#x~9I~wNK0ZplN;GQ;)nLfBT95bXWQQS6BZ0r^{Epgi$LFPj8`=2`Xt1|C@8OO)NjC@9VSQdRf3)+3I<6R&mQt@4j|9'
    '?#mi_TohOJTJAft<UHHjl5=MRs=_PP&cDApn9~0Ovy<7mzdYo9)7bSrB_-?gSD!eiS(|@r&--x;A5*-2_`?l<?)t%ahVB03vuzK)'
    't{r`M*9}Ks>h}DS!*i=@x`RhGmpWg&lHT;{iYev7q5F+(R*%EhmFPj04Yban)c-?8D>73(Y|Ro=l_iwMd{k$5@;#7aAM)kr*aKy0'
    '^~t`nb{khzqZBnPW#R+VlE<3T$7~N-{4E}SLFbw0Xv~s9TIG*wRR9a|b8gylDZ`YpZNeUY-l%e@@yHZqb-7;NyRcCs*md|;WxhGC'
    '+j^azc7nRfiY)@z{WMJv*eSWG!PxPNrHS5CZ6>+5MEPkWw25+_tU1BfO({!g*ywtv_igu1<F5X#dC#n%t}ST1Tyf0${o=lSuW3e8'
    'T97KaG<(rIylLv0a|KT&9DjJz7q1_>^XzlG&Ms*R)vr2vi1x$TIH``u^}98FpB=01`((}mR!K@COX&R0wL{yg%RW%Qw+L^YlUL^d'
    'hkHTZ@pi|oE>VVOqddvd-LU3k{<Iz=;>!pgL*K$m1EcE#+o<33wg-F|!z!A=7(}I1JEfBLBO-P8P_e~2e!w%p<$K-b%tPU%o?(u('
    'fU*lr@tg|H6?&Xf>bAZEtUKbRf%bZOmFin&tt-$2#nL3+ywuu_)KP0sQ=FL3ORA`BUH$=u$LA?=--y?)>q~5`dW<_1%!_L`(?h1Q'
    'wgLSe{uYW4ngUch!U8DQE|QMoMIx%fEoEE$RuJa+aq5_gx|w$y5i|Q-Y_XAH=*10OKE;=h4pKbk5TC>1B`caUOM1dWBs4q0h_uU4'
    'V}Lt~a*YT?0F5Q!tl=iv>(NZV%ffRM3Frw9HzUhVVXwijhmtf}0gs2Jz@C(hKAi2Li@oldA&Zp{94tDW%?WC_A}s^T!<;dkSIK#b'
    'cB`^b@7Cz5*o!aSPNa>BLwyNMjdL#?p-TfpR;n1`_51uLVbJ459eB{=wk~i@1s+sH2mSnBO7aK|ctaFx$POVxJvLR6;jpP#`p}^7'
    '4vr34VL`Y81Q}{0R_Net4xP18Z{V_cWzveoy49O&2Zao4zD1C&I6-l1UkRxwL6;cOndmko+h<dFtqzYp?DksO0L5+7eM~@2@mu|<'
    'XHd@=Y)_N;F_sPiqd+Obg<am?;VJGeZah=yVTV%vqBMP2$j9Zl7+^F#M<{c6XUadPR?x1Z43(Lu`5E@}iUag`gk#3I9Sj{3ba9N2'
    'jqVR$&8^UzZh;^9&(~<Uc#x~>52m(_tO5yH*VqzX&EK4yFwKIAxCmRyM8z4p&hVf)?DB}2mH@9O9vT9+z-sP3YT`(}Pg3eE9{zVc'
    '-!4sXrYM<s9QZMz)08^^0vQdq7iszaVTHnkI0J)hzS)Cg0hQm$P#a(dq-Gd=eAJoax6Sgs!q^|!j`lakH7t43EAiKJK!=AjP1iHS'
    'D&@E`Y{KK~7!AsQGU*PR0`od4P8SCJL6l9AQrtYg4-;Ad&lBbVJ{5R4ND+gBFx7Ug!Rc)u!kX*y%Ipfv!Q}J@6yjiBBQ?({Q?^p$'
    'Ec6Yi(laRIS=>RIUBUKaIES9>LD-qDFc0D~pNGftsjU7ufml`!#e!~gwv^%*GBbsOgm9n498jV{bj;;NMy1di*GmsEJVizeWx4hd'
    '*ZI)Ypm#LEP*8~GcC>P7J<ySCXGpvXh8XuK&dp98ieE`FVVtK0w{1P0Qk967o?Co#-j;?oj@*`n6vfB4`Ka&_|ByP^EN2EJlx9?r'
    'w3jo?Ph@NHFk5H2V;#Akoe~&USh<}}Bb94In%KOtT$fD(2SZAOQ*&!|a5^<K19iHb=9ZD<i|6y?Ru*-D=4nS~P`HwxgIPGO&^9FX'
    'va?twf30G@@7d7F_+^N@OH^OF*vbj@h4}q;EPKek$ea{!#00XMW&G--N0>pGuu|MBekR-~D@D5yzQUyFad=1hOo~w&4tLRmqipMd'
    '(;zUbwIJDW)y;I#+L|TY+v~kqcsnhZiF>)M^mw7ltwSXydMG&v>0Trt#>29971f63;ZCtiDe6X2eA7kSLz`_MyAtQxOHcie%mgbC'
    'S1v!)l%lT6XgA9Th1&a$7#`^VvrT61|H+o_`ntH~H1$7NuDOjNP|y?gHx(R&1AJH<?v{Y-a*I*rWP6et+&N?QMgh+3U~&!ZNrB2$'
    'oD;%yO)m>k`c;-bAuAZ9>v<fGG11eBx<({)(}?;SEooRAu$hq_j<BmmHkzSW7(@nG^Z)}OTslpQiChd^83^cQ%nX~K#*#Wv4%df;'
    'S;G>@HLwzlSlB`pc=gK!8}Sd>JHqyxe9hW9tRm+io;k!+FCQ`gu1{D>mxi;h%yM4M`70ku%cz)p+w)je{#za0uJfGBlv(`h;jmH{'
    'yrAi*Qx&-p<rt>()59toqr;x4nQb<uP=3I&Vf*cdjD%YmZ5wz3*6|(gmz+6An(}3{W<1S#ednu}wNh<xUWac%!INCW<vsRJf%?_t'
    '6}8p+Yes2s*Wl6WAiiN<K}LgBn)teDs_qI^s-~2i-Y>{*DdFZwvsvD}{PSijr(CDQ79Dexj~zqZ_*g?B=s8U_Y)y_&Y|hyErTsl*'
    'Z9|njd75-d*VknQ!xYpgNW7(;lD=1AYFgG82xlH;F6#J9J2pn`Nc3w?6!@QClB)Vjd1S@6xEBFoHy*_3o}e=rqWh5m4N~zi6QPG`'
    'UcbbR`hqk{fXYIGG#Wxf>24v)K!O6g2TL(c1;Cob#<fBxvn)unS|C$r(=aJ0<(J%JTpM*DS)#>qLdFot#7rT%nb$Px#KeOhoy$Ep'
    'e1$6Ov8tI8kvi0roHjyJARyHpPT|(UfG^+Sp!3^6hRtMi;X->xphE{?YDRp}<y}=+PW7xFU1x3$7SSyu*|z*5G}Y7Y;&uB6vfUi6'
    'Kb|I}<MR4KRg-)g@C&hdX?K{jn$yqdTT{xK`5m@Ey5lM3F<Um)itt4)diOElwk=~9%O!k-pFC)G<<NCB=8D$NLU39rW9hHarRWXB'
    'aG!vo?k`PxDcwJi+4w14<g>9b2ZKfnGTmN)BM6nrgbWZu-84Rf$_P_|gH99RsEEo9!7vICH-ZOH7=|G_^kXyxQUF9C1PA~S{`v<X'
    '5ZwJiz}^3MSAKbR_xkShUoYYKqq`3w1&&|e{UGBD@a|`PTjVY9>%zqSuZ!c4$1P77gwdb7XGLCz<5%Mr#@_+sJMX$4b!mLtFRw*5'
    'Mo*4}0AS3uh-oCccl@nL7zm8K2x7MHu0|Y~upD(H8q9=)u~U$k{qZoO(L}(EY>PTKZV~|?YAE7J42p<*VB#r^*^Xo|;z{(x2`g{{'
    '9nx~dgYkVxESnKf0Eqe-$$T_*5XKBlJh)4yXlkSBn)pPn5IAuK00A-*j8W)76qpHTqRb&9ALC0D4LA{0^cWE1LG(WIdV~(dz(Fjw'
    '=nW*&CW_(sQj~X*3LpeN@zNxB#}^SW2_r~k8H{pc99}YM;iUH`T!)d8iJTZaEEZaf^$`|N+`t&qC-0At6^TYPVF?fpgD`d*l@tg_'
    'DIkInE!7FkktiCFm|#LR#_Ej7x@cjL$`Ho577gi_c*6vy00Ir8h{EW(<4-Aokj|)RKuFvfJvw5A5D6r(6c7c0P^1xYm_)^x*U?<V'
    'm>Nw4N7gey;9Cr2NB}uPFG@^_A%QQ1IAR423D_XSa3CQ*K>CGXG8-rW!pY@B><5s*YDm}!2w)PWnRG>JBQeXrs`@=e1IR*3l7@-g'
    'P7;tP9Z2XCwh&vvc)^kci9mEna)2b5QTGr6^~t=RU;?>t2uH(6&jKWZ#fqQUuK*EyLKmbE`om<sBz+)(lSHer_CbIvR)=KxVJwU&'
    'CNNefv5q*g8xXr7k^KZ(#;}JZga{i6DU6aI5J?7Ny(<bGVVx`<L}`Tt^@os1El5xR7$ZQe>BHEhK^g}LK|vDhN$^e%5CW3Uk(?$#'
    'N@!p3H^l?SCO@)q0@ShBVJrv$NxDj$#2~?CVk;$bH3l9e2|6T;9GE2E<jR8(kVW@5F(J_{7AY~^q^=&T337A2M-NE?K{QC7KPOFe'
    'WQGG`?*L>eAWs+YH%<WLhWlGZMCfiL?*Wnf<YW+<bgW+zWoOc$Nn{@&C6SN<QlbDLdrd%tP}z{6&k&FkPNV~=Kx3UAkVd3?<^fU?'
    '@0|}OS(uc#d$thcC#Wak;l1+#X%D$?5{52t&pb*X>?A#dfK>M6`2dnin3VWQ0TG)FAkD7-{}&ZfV*<oBKk+3J5H*)HA58AVlLUyg'
    'lav55n2@+LHc!OX3EzweQ4;(i%i|>W5=;}6nN&8U?gl0mARv{_B$yyUhDjih8UleR@HgiJqGS_WHt9PbVX~eC7zF<XPA1M2'
)  # low bytes, then high bytes, of little-endian int16

_PACKED_SCRIPTS = (
    '@9F9!>h1<4<^meD|MtE6;sPuX^cVui?)xbv3d%7i-~JNtw=L@>-|_tb>f`!h<PasRzd;H%*h%RO$>25v{?or)FW2_x7X@bj8v&$A'
    ';@?`@^epSa_~bFb6O&gXwMNRegD1vO3LELT?&~>E${b6=m{IgYx?#T`5bh=~'
)


def pack(mean: Floats, within: Floats, between: Floats) -> str:
    """The three as text."""
    parts = [mean * _MEAN_SCALE, within[_LOWER] * _COVARIANCE_SCALE, between[_LOWER] * _COVARIANCE_SCALE]
    values = np.rint(np.concatenate(parts)).astype("<i2")
    planes = np.ascontiguousarray(values.view(np.uint8).reshape(-1, 2).T)
    return b85encode(zlib.compress(planes.tobytes(), 9)).decode()


def unpack(packed: str) -> tuple[Floats, Floats, Floats]:
    """Inverse of `pack`, to its precision."""
    planes = np.frombuffer(zlib.decompress(b85decode(packed)), np.uint8).reshape(2, -1)
    values = np.ascontiguousarray(planes.T).view("<i2").ravel().astype(np.float64)
    mean, *triangles = np.split(values, [GROUP, GROUP + len(_LOWER[0])])
    within, between = (_symmetric(triangle / _COVARIANCE_SCALE) for triangle in triangles)
    return mean / _MEAN_SCALE, within, between


def _symmetric(triangle: Floats) -> Floats:
    lower = np.zeros((GROUP, GROUP))
    lower[_LOWER] = triangle
    return lower + np.tril(lower, -1).T


MEAN, WITHIN, BETWEEN = unpack(_PACKED)
"""float64 (64,), (64, 64), (64, 64), in units in which the group's length is 2 (`streams.features.SCALE`)."""


def pack_scripts(moves: Floats) -> str:
    """`SCRIPTS` as text."""
    return b85encode(np.rint(moves * _SCRIPT_SCALE).astype(np.int8).tobytes()).decode()


def unpack_scripts(packed: str) -> Floats:
    """Inverse of `pack_scripts`, to its precision."""
    return np.frombuffer(b85decode(packed), np.int8).reshape(-1, GROUP) / _SCRIPT_SCALE


SCRIPTS = unpack_scripts(_PACKED_SCRIPTS)
"""float64 (2, 64): what prompts move by when they are written in another alphabet, or in signs without
spaces, and nothing else changes. From `tests.evaluation.fit_scripts`, on 546 short English prompts."""
