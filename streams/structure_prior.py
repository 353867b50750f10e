"""What the layout of people's prompts looks like before a deployment has told: mean and covariance.

The structure group of `streams.features` is the only one that does not depend on the deployment's secret, so
it is the only one for which anything can be shipped. Fitted on the 500 prompts of arena-hard v0.1 (real
user prompts, Apache-2.0) and on nothing else: 64 means and the lower triangle of the covariance. Only
prompts, not accounts, are known there; `WITHIN_SHARE` splits their variance.
"""

from __future__ import annotations

import zlib
from base64 import b85decode

import numpy as np
from numpy.typing import NDArray

from streams.features import GROUP

WITHIN_SHARE = 0.65
"""Of the variance of prompts, what one account's prompts vary among themselves. Low on purpose, so that
*between* is wide: conversations have about 0.85."""

_MEAN_SCALE = 1e4
_COVARIANCE_SCALE = 1e5

_PACKED = (
    'c-k#h2|!KT_ul)QbEl*-PenbEj6G9HC^XU_@(h_GRK}>6zY@t5B`HJUA%!OMP~_$Hq=cmBCC?N}dA!hYyZ4;4&u{JHf2(`C`>wtATHpG'
    '<Z=YNhlUH5c<HDHdtsASkRCU~$+L$u?Pr7F=yWOfP20ZRr=o+8UW!DnNoOKt!xkQK5U20v?<MksC^D`wUGr}jISYZAlyHRhypgQ9ee`I'
    'l=|J(K3nvMSMmXXTx%vY_y{TVsnqD}96JCsMd6z(<O`ntI=`%zmZ)1nSq-XSAd^|mE2-eI9fdE@b#^^c|fN%uyTEwIvjRAdKjaLx$tVd'
    '7KX*>TX#;KmuZrtk4AwezY!r*aH2^BEj_dC`HCv>PTX<1YQXKGEm%p*-uYBbTZhQ$t&Ee(hSLR`2iU?0x^zeSH}dUo-j05b0oF^Wk~p@'
    '<ZMfTWy<I(r0zaNYkIp61KcrbI7K9O;khrvOrs(c^A{(-nl$}*`<mt=N%88O)Dum<PbZvlu6m~@L}mcK8D-+nl85daJiv=l%>bpwy6i6'
    'r@JrM>d-o7$^B1p(}VgG{`*+phO62)k#{p^pX#4>E6>rZbo&~?JfJx7dvWYzE4`0(h1sUY!B1x1?C|<lUR?J;r+|l1hia_Sgoz6*d<`P'
    'nBU(>SY1sWi@(vu+GHBd`Bh$J_&#umj^_y}m=eI@m(?>LWBw6J3y7E1m^ou`qwpXXZl%UsrR(<%AGTd~kBmb+bRrR|<SAE^bMf~`hk}d'
    '1jO`AN}Kg--byLXY*qm-n&Zud?VKmB>efb1a&?)S7M%1CcMOdHy*>C}Z48NYt64G`YxU5$=;bIzUhqwSa6DQoPLwrq99#7ZN#(<>Iwy%'
    'Uvfm|Tz$SDTmf;*mp7ukROZ9?l<MvdQ+#oIvBEThV{j%{}ScaQ(pSQ2)xMUthZ|a@^EwWA3zs+{$sz1-&Ld^ow(OmeS>;)uX*O(;rpOn'
    'VJ~7rl=xC^lb5X@zbXrvmLHI|8QXT^bZ$0&3e%MvRlNyr9(<xSLP{Vdf9z!o;tDh_n)`?bLZ~i24=JO=%_Eh?%Fi8`p<S{TJqB?M}iJ{'
    'rOaB}(y)B%j-nlRhdd9@9^W|X#l9lviPv-1%!v7R(9&Y`(b>lSFTR|z*kn;=@3Q43_mk=FEAv8+<H)zQ;f+p8#qT3^Ip$7DZEIhh(}vv'
    '6Jo&TMGoxX`*4ZoX%*e?2cwp?>8EfX;s3|>IJY(HU<MfsVpAV+q^?chqx?B77%dZbl9_>1+*Xk##^e-2lj=1#BJH5-ltur%TG=1;<O*@'
    'Zi{eF5?$A?)TOYPII7#xjD<yzY>Ifhhe`;845IDgEpT|;!U+!xlH<}lZi%by<KQE+{PsyS@loP%?M*cGqWssEUE$Tw?ANZn~~Zo}g&3*'
    'T(Bt0U~@%)fMfLtBlq-Xry_I>v4O^2*Wv3yp4lO1yS0f%WLxbkkz^M!%qZm-mj(V?HEunq^t`qsG7YJD!LW60ZN9Z&3KwCQ7&caO%nlM'
    'Tf0UjB)qxJ@MkwCW|=7H-qffJwI^Z-I0LC-R~=reapymUAlNxix>9JkF~B{TRK9#aekxG=lswy>MJ(;Z3oUC*zCM)Ujnag4P%d+r#6h7'
    'pz}I<-*ou->Y$JM`M8?1@d<k~VyW+1zwNe19n4(=uKEt?-eQ06*`80Cw$Gd*>ONiEXL;Y{-m(3sQlwn#pqo{PFPGKLxwpGE;Alj8Y^96'
    'V@Y#gSCjSuYQ}g>5ZJC+6AyO@v=dRrs{KVbpgh`@H_MXh0;T;TZFXi@(^eXQ=)OSWa&rEo;x{GGL9h!GMZJx!(V%vS?s~%Un#~rkqbbo'
    'nE5@&Y(t$%qzmS-lHW9FB?&7u2oudvzUdQP%C8j$Zl3gM2ctgD^|{1?}pR%X_@%{nx!&hdND#|z!NZ!0|5bT0Ro9^szlFX9FV|7x2aur'
    'cp6e=9lDwE_hdZ?1a0%QN}%)jJzT)D;eC+-DOM`Ct5$rregW<k`LNfAv~z6cBr5<Hf02w&5-zQ@ii^R`#hpHL&Ct^K!*6^`8c%Y<bXZe'
    'Pd+tyo8m<f-PH9wC?lgX|v--+O!21T5tONX5*UL;A4K3c9l8l*?p4suXlOZv|{43gPF#ICS{!)c*ui0S=)9zchBSvZDG}cF%j&d`Sym}'
    'QWbuy8u;y<YAw%?%_zH_^UB@l?*ON9fsRIL!4akX61x`c?>TJy{`y60Lya$<+SPc}(<Oa(&W)lwk7hKOM4jp5Sj)UG2)}Nb6EbzwgfBP'
    '$8(_QVOsP#vZgS_niJZ7^^0|*y-a9AN)tDa0E*@rcqN$n<UpV1ir<;u?jZLn`W&?v(FLq9^u`WIlHjJyx?GWA7Qg6L?&C>l(N*w+kyF#'
    ';Yu3KXB<Dr}VPd**G*Ezlqi68GYxVP%gq$k4%)Cl~ZxU}~*%euds>0Z@yy4^)4{m;qO?AJrDx|Y|3{#h7RoWJsc<%xQ}<m&Z)4wi;?oa'
    '1Yi-5H-tnNDtF!{Sdz=0^On&ZXNw!F$@0isHvduN+|7)oMoI%rgmQu19;?@7poevMQ#tM^R6|Zuus5jAcIu#plu|ik8)@8sAUpJ%s<`('
    '}mavodS)QU-xzKGn%}f&pTH8g?+wmhkdu)^IiYR{MvYHP-}VLxXaNelamKnMm$=V7SXqMXqM~WiO(*L-eCRywNw4SEmJpysiRtLp5%1v'
    '>h=7~EN17ltNGj9Ooy0=lV6@~2-t1WyL;i|!|HGDhog^;-r)0K_wAJPDA9K3l+~BbT&%8bUg14#Q)uj-_1~X3FZ1mmQ#H4u$B~wfRsF8'
    'rx?D7_w&&niBV&Gd`>OTUTrCJEo~B!zmz)n?>-252=TGgH%6gq!o9&}2_xlgZnzqLcd$o92p3bjekq2ke|JJMm(*<umMmfz5kLr6Ou{m'
    'ktQe8!{PmFO;gMC)>g08z_PrUD1k=o9ARYaAkeyLsm)!AdD+W77ipDlCJwsDQOqqU)2Cc1s(eW$Y%UKITNWv?>w>3vh9tHBrV7Ww}5tU'
    '9UsUwf5_?wf(CMWbMO)i)gyF-B^Qq(FkARnbw+C?!s8R<T9`XUujG5aBS=GDOEpSRzVEr)CZKPKYS57Moy(@ES=iwKIkYW0qh8Bq0_fc'
    '!~(Z8Ke>5AtFR1C96ZMM6kq3#zaZlu>upsNQQz65yT=%#CqI;6(mNI7)Yf=LI(*G`WaF)oWyp(5@eSo0n&+()BuYTi$o$xgouO?WI!t<'
    '5`riZ;^0gb94um1L<D06Lacz03G9OXBK;bIMY=~tkOaS&V8lQZSfV-9(14yndWa&J5GVucz#R!oc*Me9EGQ9S;B*DFVF;;M5qd`Ok}wh'
    '^c!M2kEYMtXX6R5N^148fMp8*SjuRvi@eIquMhKBOhLDa>3Y;fG5u$(uilYeq(qauH2CAm9ut1N7qTx-3MF|TcVqjia1XLIZRZ9}bNkl'
    '=2iNq5|B$#0kheQPnpg~E{JLUlg1H>RY7(x-j1a?9vgyI9tkcgU45FwiWz&hXq075w3#t=A$B?4rIx?moNe#^i+JQ)Gg%o?nR0rQB~E7'
    'Fb`V1`7q159v|Bx!gx(J>s4^hn1jbaViK1gj)~F;WVMVR#c*qh~@Ed4jYWLPvuEAs$oy5RIfqSQIFJNaQ6-B#}WBGl8Y2(yApxN*ct9G'
    '=>Ef07DMo;D`w9R6uGNtSA|X8l*)kLIkYi6aqsT1(<W92o<p+1ITFrUL$%QOY0(X<8;=PC@@S4p+u2@1#AGoLG1$62J96G3-bYp0Brc9'
    'Fi}V$7&t70NvBVs9u_9cLLUlvz+mLYVWcd>U=0XOKpd7M8R-Xspf12wW<Nv&jX-k1LS6xSgQ*iFunaI4>W5{PP7ukvc-oZ$go`@DaOjN'
    'X86W_V&;mqx0V7%ql@~1+q73K`dKN?g$WS;2h+z+v6&5H3WWs|^fI}Kc2q6$kr2&kj!hivQLg{BpC(3o856B3-gs4D(AX@-P0kWj{i!v'
    'OXgrPYg1qb3$fIDCqBx8W|j2gg$N;yh*N!EuTU<?`-DSyFXu&ATN;bA(0A(a!gD~SpNW&nO7Q2JB5lI06~fnZQ0Lb6S2*fx+;JGcR1^*'
    'TV34vP?=H;+Lx01O8vr*8*{c^>A?Ga~p6M9CTO4^yDf5Lwl-enliuHbZ~F3-}BYQo}~2pl4__PZ<LbB%>%G3XmWIwv^}qIuB<F)U*t!E'
    '5hI?&!IBtAJb8?^gkrKD3V7(17s#qx{4iu<E^X){00*hBT*k#!hQvj)B;ixhGlt$z$?@Y!!aC7Sd|Xzh)(JZ1+gMe%@_Pwq(q{Fr+rXw'
    'gnHo+7L1Ng4Zh(q;lL|&1`-&$NI1Au6aW?gL!s6KL^>qt;YN^<79+i$+Bpq`{R%oxux%amAQ0JId2kLE5-{@MffkHF6%E09N=Aw&PgxD'
    '(WSEXvhcyDvVou@&fkQuRQ!g@XJA`r6LbRCSwX_Xh5=FfVD>;_aVijXdF9+GS5IvZRT)rBJtn(inA(D)&B<qFR39SHXQc)WOTrhQR;2C'
    'vkNz}vO!LI~NFDW?~z#@!%<DefV%z!s)Aet3rsmU*qx(HPh&GRD}B@&Sjqt+sGm{NnLQUSg^;$%*745D`=RRc#0!awqXbucWFg(F~AfN'
    'Pg$IqK=qqXFEC|8Hi5vRYJt2&v;h-5@<Eiv?j&y8#YDYvK=61~k;rI3pVW59mEOvj'
)  # low bytes, then high bytes, of little-endian int16


def _unpack() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    planes = np.frombuffer(zlib.decompress(b85decode(_PACKED)), np.uint8).reshape(2, -1)
    values = np.ascontiguousarray(planes.T).view("<i2").ravel().astype(np.float64)
    lower = np.zeros((GROUP, GROUP))
    lower[np.tril_indices(GROUP)] = values[GROUP:] / _COVARIANCE_SCALE
    return values[:GROUP] / _MEAN_SCALE, lower + np.tril(lower, -1).T


MEAN, COVARIANCE = _unpack()
"""float64 (64,) and (64, 64), in units in which the group's length is 2 (`streams.features.SCALE`)."""
